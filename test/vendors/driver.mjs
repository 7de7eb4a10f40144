// Answers the test's questions about vendors.mjs: a line of JSON in, a line of JSON out, until
// its input ends.
//
//   {op: "list", base}                        what endpoints there must be, and what they know
//   {op: "sign", name, url, now}              an event as the vendor sends it, and one that is forged
//   {op: "verify", name, message, now}        what the vendor's library says of what arrived
//
// A message is {target: path and query, headers, body (base64)}; now is in milliseconds.

import { randomBytes, randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

// Libraries read the clock by Date, which is put back or forward for what is asked.
const RealDate = Date;
let skew = 0;
globalThis.Date = class extends RealDate {
  constructor(...args) { args.length ? super(...args) : super(RealDate.now() + skew); }
  static now() { return RealDate.now() + skew; }
};
console.log = console.info = console.debug = console.warn = console.error; // stdout is for answers

const { vendors } = await import('./vendors.mjs');
const versions = JSON.parse(readFileSync(new URL('package.json', import.meta.url))).dependencies;
const hex = bytes => randomBytes(bytes).toString('hex');
const keysOf = vendor => ({ secret: hex(16), ...vendor.keys?.() });
const keys = Object.fromEntries(Object.entries(vendors).map(([name, vendor]) => [name, keysOf(vendor)]));

const slugOf = name => name.toLowerCase().replace(/[^a-z0-9]+/g, '-');

function list({ base }) {
  return Object.entries(vendors).map(([name, vendor]) => ({
    name, slug: slugOf(name), preset: vendor.preset ?? name, scheme: vendor.scheme ?? '',
    library: vendor.library, version: versions[vendor.library],
    secret: keys[name].secret, privateKey: keys[name].privateKey ?? '',
    parameters: vendor.parameters?.(base + slugOf(name)) ?? {},
    credential: vendor.credential ?? false, tolerance: vendor.tolerance ?? 0,
  }));
}

// The text that every event has somewhere: two, three and four bytes a character, and a line end
// that JavaScript escapes and JSON doesn't.
const text = nonce => `é € 😀 \u2028 ${nonce}`;

async function sign({ name, url, now }) {
  const vendor = vendors[name], nonce = hex(8);
  const c = { ...keys[name], url, now, id: hex(12), number: randomInt(1, 2 ** 31), text: text(nonce) };
  const message = async context => {
    const event = vendor.event?.(context) ?? { id: context.id, type: 'order.paid', text: context.text };
    const body = JSON.stringify(event);
    return { query: '', body, ...await vendor.sign({ ...context, body }) };
  };
  const genuine = await message(c);
  let forged = { ...genuine };
  if (typeof vendor.tamper === 'string') forged = await message({ ...c, [vendor.tamper]: keysOf(vendor)[vendor.tamper] });
  else if (vendor.tamper) vendor.tamper(forged);
  else forged.body = forged.body.replace(nonce, hex(8));
  if (JSON.stringify(forged) === JSON.stringify(genuine)) throw new Error('nothing is forged');
  return { genuine: wire(genuine), forged: wire(forged) };
}

const wire = m => ({ query: m.query, headers: m.headers, body: Buffer.from(m.body).toString('base64') });

async function verify({ name, message }) {
  const headers = Object.fromEntries(Object.entries(message.headers).map(([key, value]) => [key.toLowerCase(), value]));
  const raw = Buffer.from(message.body, 'base64'), body = raw.toString();
  const m = {
    // As frameworks make it of a request that came through a proxy.
    url: `${headers['x-forwarded-proto']}://${headers['x-forwarded-host']}${message.target}`,
    headers, raw, body, form: Object.fromEntries(new URLSearchParams(body)),
  };
  try {
    const verdict = await vendors[name].verify(keys[name], m);
    return { ok: verdict !== false, why: 'the library says no' };
  } catch (error) {
    return { ok: false, why: `${error.name}: ${error.message}` };
  }
}

const operations = { list, sign, verify };
for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  skew = question.now ? question.now - RealDate.now() : 0;
  try {
    process.stdout.write(JSON.stringify({ answer: await operations[question.op](question) }) + '\n');
  } catch (error) {
    process.stdout.write(JSON.stringify({ error: `${question.op} ${question.name ?? ''}: ${error.stack}` }) + '\n');
  }
}
process.exit(); // some libraries keep timers
