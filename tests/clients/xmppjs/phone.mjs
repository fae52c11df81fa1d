// An app made with xmpp.js: it registers, logs in, and keeps what comes in the order in which it comes.

import dns from "node:dns";

import { DOMAIN, PATIENCE, Queue, equal, within } from "../shared/gateway.mjs";

const library = (name) => import(`${process.env.XMPPJS}/${name}/index.js`);
const { client, xml } = await library("client");
const { Client } = await library("client-core");
const { default: middlewareOf } = await library("middleware");
const { default: streamFeaturesOf } = await library("stream-features");
const { default: iqCallerOf } = await import(`${process.env.XMPPJS}/iq/caller.js`);
const { default: tcp } = await library("tcp");
const { default: starttls } = await library("starttls");
export { xml };

const REGISTER = "http://jabber.org/features/iq-register";
export const PASSWORD = "secret of xmpp.js";

// The router's DNS: our domain is here. So the library connects to a name, as its users do, and node compares
// it with the certificate.
const lookup = dns.lookup;
dns.lookup = (name, options, callback) => lookup(name === DOMAIN ? "127.0.0.1" : name, options, callback);

// Registers an account: the library has the parts for it, but no feature of that name.
export async function register(user, port, password = PASSWORD) {
  const entity = new Client({ service: `xmpp://${DOMAIN}:${port}`, domain: DOMAIN });
  entity.timeout = PATIENCE;
  const middleware = middlewareOf({ entity });
  const streamFeatures = streamFeaturesOf({ middleware });
  const iqCaller = iqCallerOf({ middleware, entity });
  tcp({ entity });
  starttls({ streamFeatures });
  let refused = null;
  streamFeatures.use("register", REGISTER, async () => {
    try {
      const form = await iqCaller.get(xml("query", { xmlns: "jabber:iq:register" }));
      equal("form asks for a name", true, Boolean(form.getChild("username") && form.getChild("password")));
      const fields = [xml("username", {}, user), xml("password", {}, password)];
      await iqCaller.set(xml("query", { xmlns: "jabber:iq:register" }, ...fields));
    } catch (error) {
      refused = error;
    }
    entity._ready(false);
  });
  await within("the registration", entity.start());
  await entity.stop();
  if (refused) throw refused;
}

export class Phone {
  inbox = new Queue();
  presences = new Queue();
  resumed = new Queue();
  #enabled = new Queue();
  #asked = 0;
  #answers = new Map();
  mechanism = null;

  constructor(user, resource, port, { password = PASSWORD, scheme = "xmpp" } = {}) {
    this.user = user;
    this.client = client({
      service: `${scheme}://${DOMAIN}:${port}`,
      domain: DOMAIN,
      resource,
      credentials: async (authenticate, mechanisms) => {
        this.mechanism = mechanisms[0];
        await authenticate({ username: user, password }, mechanisms[0]);
      },
    });
    this.client.timeout = PATIENCE;
    this.client.on("error", (error) => console.error(user, error));
    this.client.on("stanza", (stanza) => {
      if (stanza.name === "message") this.inbox.add(stanza);
      if (stanza.name === "presence") this.presences.add(stanza);
      if (stanza.name === "iq") this.#answers.get(stanza.attrs.id)?.(stanza);
    });
    this.client.on("nonza", (element) => element.name === "enabled" && this.#enabled.add(element));
    this.client.streamManagement.on("resumed", () => this.resumed.add(true));
  }

  static async registered(user, port) {
    await register(user, port);
    return new Phone(user, "phone", port).online();
  }

  // Logs in, asks for the roster and says that it is there.
  async online() {
    await within(`the login of ${this.user}`, this.client.start());
    // The library counts wrong if a stanza comes in one piece with this.
    await this.#enabled.next(`stream management for ${this.user}`);
    await this.roster();
    await this.client.send(xml("presence"));
    await this.sync();
    return this;
  }

  async roster() {
    return this.ask("get", xml("query", { xmlns: "jabber:iq:roster" }), null);
  }

  // Asks and returns the answer's payload. The library's own way to ask hides answers from its stream management,
  // which then acknowledges too little for ever.
  async ask(type, payload, to = DOMAIN) {
    const id = `ask-${++this.#asked}`;
    const answer = new Promise((resolve) => this.#answers.set(id, resolve));
    await this.client.send(xml("iq", { type, to, id }, payload));
    const stanza = await within(`an answer to ${payload}`, answer);
    if (stanza.attrs.type === "result") return stanza.getChild(payload.name, payload.attrs.xmlns);
    throw Object.assign(new Error(`refused: ${stanza}`), { condition: stanza.getChild("error").children[0].name });
  }

  // Returns when the server has handled everything before.
  async sync() {
    await this.ask("get", xml("ping", { xmlns: "urn:xmpp:ping" }));
  }

  async say(to, body) {
    await this.client.send(xml("message", { to, type: "chat" }, xml("body", {}, body)));
  }

  async presence(attributes, ...children) {
    await this.client.send(xml("presence", attributes, ...children));
  }

  async hears(body) {
    const message = await this.inbox.next(`a message for ${this.user}`);
    equal(`next message for ${this.user}`, body, message.getChildText("body"));
    return message;
  }

  // Waits for such a presence; what comes before it is let pass, as the order of presences is not promised.
  async sees(type, from) {
    for (;;) {
      const presence = await this.presences.next(`presence ${type} from ${from} for ${this.user}`);
      if (presence.attrs.from.split("/")[0] === from && presence.attrs.type === type) return;
    }
  }

  // Closes the stream; the server has to close its own.
  async quit() {
    // The library begins to listen for it only after its own end is written, which may be too late.
    const end = new Promise((resolve) => this.client.parser.on("end", resolve));
    await within(`the logout of ${this.user}`, this.client.stop());
    await within(`the server's end of the stream of ${this.user}`, end);
  }

  // Leaves without a word.
  async drop() {
    this.client.reconnect.stop();
    await this.client.stop().catch(() => {});
  }
}
