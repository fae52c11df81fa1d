// Starts a server and runs the scenarios in a process that trusts its certificate and no other of its kind:
// node learns at its start whom to trust. Arguments: a directory, then names of scenarios; none means all.

import { spawn } from "node:child_process";
import path from "node:path";

import { Gateway } from "../shared/gateway.mjs";

const [directory, ...names] = process.argv.slice(2);
const gateway = new Gateway(directory);
await gateway.start();
let status = 1;
try {
  const program = path.join(import.meta.dirname, "scenarios.mjs");
  const scenarios = spawn(process.execPath, [program, JSON.stringify(gateway.ports), ...names], {
    stdio: "inherit",
    env: { ...process.env, NODE_EXTRA_CA_CERTS: await gateway.pin() },
  });
  status = await new Promise((resolve) => scenarios.once("exit", resolve));
  await gateway.stop();
} finally {
  gateway.close();
}
process.exit(status ?? 1);
