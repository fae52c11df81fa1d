// The server as senders see it, over HTTP; and how scenarios run.

import { spawn } from "node:child_process";
import readline from "node:readline";
import { fileURLToPath } from "node:url";

export const DOMAIN = "push.lan";
// Longest wait for anything, in milliseconds; reached only when something is wrong.
export const PATIENCE = 15_000;
// Longest a scenario may take.
const SCENARIO = 60_000;
const API = "/api/v1/notifications";

// The server that with_server.py has started.
export class Gateway {
  ports = JSON.parse(process.env.PORTS);

  async ask(method, route, want, body) {
    const answer = await fetch(`http://127.0.0.1:${this.ports.http}${route}`, {
      method,
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json" },
      signal: AbortSignal.timeout(2 * PATIENCE),
    });
    const text = await answer.text();
    equal(`status of ${method} ${route} with answer ${text}`, want, answer.status);
    return JSON.parse(text);
  }

  // The id under which it is accepted.
  async push(to, message, title = "", uri = "") {
    return (await this.ask("POST", API, 202, { to, title, message, uri })).id;
  }

  // Waits until every device has got so far.
  async reached(id, state) {
    const answer = await this.ask("GET", `${API}/${id}?wait=${PATIENCE / 1000}&for=${state}`, 200);
    equal(`notification ${id} is ${state}: ${JSON.stringify(answer)}`, true, answer.reached);
  }

  async addUser(name, password) {
    await this.ask("POST", "/api/v1/users", 201, { name, password });
  }
}

// See wire.py.
export class Wire {
  constructor(port) {
    const program = fileURLToPath(new URL("wire.py", import.meta.url));
    this.process = spawn("python3", [program, String(port)], { stdio: ["pipe", "pipe", "inherit"] });
    this.lines = readline.createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
  }

  async start() {
    this.port = Number((await within("the wire", this.lines.next())).value);
    return this;
  }

  async order(word) {
    this.process.stdin.write(`${word}\n`);
    equal("answer of the wire", "done", (await within("an answer of the wire", this.lines.next())).value);
  }

  close() {
    this.process.kill("SIGKILL");
  }
}

// What comes, in the order in which it comes.
export class Queue {
  #items = [];
  #waiting = [];

  add(item) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(item);
    else this.#items.push(item);
  }

  next(what) {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift());
    return within(what, new Promise((resolve) => this.#waiting.push(resolve)));
  }
}

export function equal(what, want, got) {
  if (want !== got) {
    throw new Error(`${what}: want ${JSON.stringify(want)}, got ${JSON.stringify(got)}`);
  }
}

// What is waited for, or a failure that names it.
export async function within(what, promise, milliseconds = PATIENCE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// Runs one scenario and says how it went.
export async function passes(name, scenario, ...given) {
  try {
    await within("the end of the scenario", scenario(...given), SCENARIO);
    console.log(`ok ${name}`);
    return true;
  } catch (why) {
    console.log(`FAIL ${name}: ${why.message}`);
    console.error(why);
    return false;
  }
}
