// Scenarios with xmpp.js against the server that with_server.py has started; with names only those.
//
// "Nothing came" is never shown by waiting: something else is sent, and it has to be the next to arrive.

import { DOMAIN, Gateway, Wire, equal, passes } from "../shared/gateway.mjs";
import { PASSWORD, Phone, register, xml } from "./phone.mjs";

const TITLE = "Tür 🔔 <b>offen</b> &amp; \"zu\" '门铃'";
const MESSAGE = "第一行\n<second> & line 👩‍👩‍👧 ]]> \"it's\" &lt;";
const LINK = "http://nas.lan/?a=1&b='2'";
const jid = (user) => `${user}@${DOMAIN}`;

// The library waits for things of which it does not catch that they never come.
process.on("unhandledRejection", (why) => console.error("unhandled", why));

const names = process.argv.slice(2);
const gateway = new Gateway();
const { xmpp, xmpps } = gateway.ports;

async function registersAndLogsIn() {
  const phone = await Phone.registered("reg", xmpp);
  equal("address", `${jid("reg")}/phone`, phone.client.jid.toString());
  equal("mechanism", "SCRAM-SHA-1", phone.mechanism);
  equal("encrypted", true, phone.client.isSecure());
  equal("stream management", true, phone.client.streamManagement.enabled);
  await phone.quit();
  const refused = await register("reg", xmpp, "another").catch((error) => error);
  equal("answer to a registration of a taken name", "conflict", refused?.condition);
}

async function directTls() {
  await gateway.addUser("direct", PASSWORD);
  const phone = await new Phone("direct", "phone", xmpps, { scheme: "xmpps" }).online();
  equal("mechanism", "SCRAM-SHA-1", phone.mechanism);
  await gateway.push("direct", "over direct TLS");
  await phone.hears("over direct TLS");
  await phone.quit();
}

async function serverPicksTheResource() {
  await gateway.addUser("nameless", PASSWORD);
  const phone = await new Phone("nameless", undefined, xmpp).online();
  equal("a resource is there", true, phone.client.jid.resource.length > 0);
  await phone.quit();
}

async function contacts() {
  const romeo = await Phone.registered("romeo", xmpp);
  const juliet = await Phone.registered("juliet", xmpp);
  const item = xml("item", { jid: jid("juliet"), name: "Juliet" }, xml("group", {}, "Capulet"));
  await romeo.ask("set", xml("query", { xmlns: "jabber:iq:roster" }, item), null);
  await romeo.presence({ to: jid("juliet"), type: "subscribe" });
  await juliet.sees("subscribe", jid("romeo"));
  await juliet.presence({ to: jid("romeo"), type: "subscribed" });
  await romeo.sees("subscribed", jid("juliet"));
  await romeo.sees(undefined, jid("juliet"));
  await juliet.presence({ to: jid("romeo"), type: "subscribe" });
  await romeo.sees("subscribe", jid("juliet"));
  await romeo.presence({ to: jid("juliet"), type: "subscribed" });
  await juliet.sees(undefined, jid("romeo"));
  await romeo.sync();
  const [got] = (await romeo.roster()).getChildren("item");
  equal("contact", jid("juliet"), got.attrs.jid);
  equal("subscription", "both", got.attrs.subscription);
  equal("name", "Juliet", got.attrs.name);
  equal("group", "Capulet", got.getChildText("group"));
  await romeo.quit();
  await juliet.sees("unavailable", jid("romeo"));
  await juliet.quit();
}

async function questions() {
  const phone = await Phone.registered("curious", xmpp);
  const info = xml("query", { xmlns: "http://jabber.org/protocol/disco#info" });
  const server = await phone.ask("get", info);
  const identity = server.getChildren("identity").map((one) => `${one.attrs.category}/${one.attrs.type}`);
  equal("it is a server", true, identity.includes("server/im"));
  const features = server.getChildren("feature").map((feature) => feature.attrs.var);
  for (const feature of ["urn:xmpp:ping", "vcard-temp", "jabber:iq:roster"]) {
    equal(`feature ${feature}`, true, features.includes(feature));
  }
  const account = await phone.ask("get", xml("query", { xmlns: info.attrs.xmlns }), jid("curious"));
  equal("it is an account", "account", account.getChild("identity").attrs.category);
  await phone.ask("get", xml("query", { xmlns: "http://jabber.org/protocol/disco#items" }));
  const unknown = await phone.ask("get", xml("what", { xmlns: "urn:example:nobody-knows" })).catch((error) => error);
  equal("answer to a question nobody knows", "service-unavailable", unknown.condition);
  await phone.quit();
}

// The library sends no receipts: its acknowledgement in the stream is one of the push.
async function pushArrives() {
  const phone = await Phone.registered("pushed", xmpp);
  const push = await gateway.push("pushed", MESSAGE, TITLE, LINK);
  const message = await phone.hears(`${TITLE}\n${MESSAGE}\n${LINK}`);
  equal("sender", jid("push"), message.attrs.from);
  equal("id", push, message.attrs.id);
  equal("kind", "chat", message.attrs.type);
  equal("subject", TITLE, message.getChildText("subject"));
  equal("link", LINK, message.getChild("x", "jabber:x:oob")?.getChildText("url"));
  await gateway.reached(push, "acknowledged");
  await phone.client.send(
    xml("message", { to: message.attrs.from }, xml("received", { xmlns: "urn:xmpp:receipts", id: push })),
  );
  await gateway.reached(push, "confirmed");
  await phone.quit();
}

async function pushWhileAway() {
  let phone = await Phone.registered("traveller", xmpp);
  await phone.quit();
  const pushes = [];
  for (const number of [0, 1, 2]) pushes.push(await gateway.push("traveller", `while away ${number}`));
  phone = await new Phone("traveller", "phone", xmpp).online();
  for (const number of [0, 1, 2]) {
    const message = await phone.hears(`while away ${number}`);
    equal("id", pushes[number], message.attrs.id);
    await gateway.reached(pushes[number], "acknowledged");
  }
  await gateway.push("traveller", "next");
  await phone.hears("next");
  await phone.quit();
}

async function chat() {
  const mia = await Phone.registered("mia", xmpp);
  const sam = await Phone.registered("sam", xmpp);
  const tablet = await new Phone("sam", "tablet", xmpp).online();
  await mia.say(jid("sam"), "to all of them");
  await sam.hears("to all of them");
  await tablet.hears("to all of them");
  await mia.say(`${jid("sam")}/tablet`, "to the tablet");
  await tablet.hears("to the tablet");
  await tablet.say(`${jid("mia")}/phone`, "received");
  await mia.hears("received");
  await mia.say(`${jid("sam")}/phone`, "to the phone");
  await sam.hears("to the phone");
  await tablet.presence({}, xml("priority", {}, "-1"));
  await tablet.sync();
  await mia.say(jid("sam"), "not to the tablet");
  await sam.hears("not to the tablet");
  await mia.say(`${jid("sam")}/tablet`, "by its full address");
  await tablet.hears("by its full address");
  for (const phone of [mia, sam, tablet]) await phone.quit();
}

async function offlineMessage() {
  const eve = await Phone.registered("eve", xmpp);
  await gateway.addUser("bob", PASSWORD);
  await eve.say(jid("bob"), "first");
  await eve.say(jid("bob"), "second");
  await eve.sync();
  let bob = await new Phone("bob", "phone", xmpp).online();
  for (const text of ["first", "second"]) {
    const message = await bob.hears(text);
    equal("it has a stamp", true, message.getChild("delay", "urn:xmpp:delay") !== undefined);
  }
  await bob.quit();
  bob = await new Phone("bob", "phone", xmpp).online();
  await eve.say(jid("bob"), "third");
  await bob.hears("third");
  await bob.quit();
  await eve.quit();
}

// The wire goes dead, things are sent both ways, then it is cut: the library comes back by itself, nothing is
// lost and nothing comes twice.
async function resumes() {
  const wire = await new Wire(xmpp).start();
  try {
    const other = await Phone.registered("anchor", xmpp);
    const phone = await Phone.registered("diver", wire.port);
    // Who has only just come is not sent any for a moment; chats do not wait for that.
    await gateway.push("diver", "settled");
    await phone.hears("settled");
    for (const ending of ["cut", "leave"]) {
      await wire.order("hold");
      const pushes = [];
      for (const number of [0, 1, 2]) pushes.push(await gateway.push("diver", `${ending} ${number}`));
      await other.say(`${jid("diver")}/phone`, `${ending} chat`);
      await other.sync();
      await phone.say(`${jid("anchor")}/phone`, `${ending} from below`);
      await wire.order(ending);
      await phone.resumed.next("the resumption");
      // Each sender's in their order; the order between senders is not promised.
      const came = [];
      while (came.length < 4) came.push(await phone.inbox.next("what came under water"));
      const isPush = (message) => message.attrs.from === jid("push");
      equal("pushes", pushes.join(), came.filter(isPush).map((push) => push.attrs.id).join());
      const chats = came.filter((message) => !isPush(message)).map((message) => message.getChildText("body"));
      equal("chats", `${ending} chat`, chats.join());
      for (const push of pushes) await gateway.reached(push, "acknowledged");
      await other.hears(`${ending} from below`);
    }
    await gateway.push("diver", "after");
    await phone.hears("after");
    await phone.say(`${jid("anchor")}/phone`, "dry again");
    await other.hears("dry again");
    await phone.quit();
    await other.quit();
  } finally {
    wire.close();
  }
}

async function wrongPassword() {
  await gateway.addUser("careful", PASSWORD);
  for (const user of ["careful", "nobody-of-that-name"]) {
    const phone = new Phone(user, "phone", xmpp, { password: "wrong" });
    const refused = await phone.online().catch((error) => error);
    equal("error", "not-authorized", refused.condition);
    await phone.drop();
  }
  const phone = await new Phone("careful", "phone", xmpp).online();
  await phone.quit();
}

const beside = {
  "registers-and-logs-in": registersAndLogsIn,
  "direct-tls": directTls,
  "server-picks-the-resource": serverPicksTheResource,
  contacts,
  questions,
  "push-arrives": pushArrives,
  "push-while-away": pushWhileAway,
  chat,
  "offline-message": offlineMessage,
  resumes,
};
// Refused logins make later ones from the same address wait, so they come when the others are through.
const last = { "wrong-password": wrongPassword };

const known = new Set([...Object.keys(beside), ...Object.keys(last)]);
for (const name of names) equal(`there is a scenario ${name}`, true, known.has(name));
const chosen = (all) => Object.entries(all).filter(([name]) => names.length === 0 || names.includes(name));
const results = await Promise.all(chosen(beside).map(([name, scenario]) => passes(name, scenario)));
for (const [name, scenario] of chosen(last)) results.push(await passes(name, scenario));
process.exit(results.every(Boolean) ? 0 : 1);
