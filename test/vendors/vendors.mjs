// What each vendor's own library makes and takes: one entry a row of docs/vendors.md.
//
//   library   the npm package that signs or verifies; its version is in package.json
//   preset    the WebhookProvider, if it isn't called like the entry
//   scheme    the scheme of it, for kubectl hooks send, if it isn't the first
//   keys      what the vendor and the endpoint know; default: a random text
//   event     the body, if the vendor's library wants more than the usual one
//   sign(c)   the headers (and query, and body, if not c.body) that the vendor sends
//   verify(c, m)  whether a handler takes the message m for authentic: false, or an error, if not
//   tamper    how the event is forged: a function of the message, or the name of a key that is
//             another; default: the text in the body is another
//   parameters  what the endpoint sets, by its URL
//   tolerance seconds after which the library calls a signature too old
//   credential  the sender sends the secret itself: the target asks for it (credentials: Forward)
//
// c has the keys, url (the endpoint's), now (milliseconds), id and text (random), and body.
// m has url, headers (lower case), body (text), raw (bytes) and form (its fields).

import { createHash, createHmac, generateKeyPairSync, randomBytes, sign as signWith } from 'node:crypto';

import { hmacValidator } from '@adyen/api-library';
import { signRequest, verifyRequest } from '@contentful/node-apps-toolkit';
import EasyPost from '@easypost/api';
import { Signature as HubSpot } from '@hubspot/api-client';
import { validateSignature as validLine } from '@line/bot-sdk';
import { LinearWebhookClient } from '@linear/sdk/webhooks';
import Mux from '@mux/mux-node';
import { signWebhookPayload as signNotion, verifyWebhookSignature as validNotion } from '@notionhq/client';
import { Webhooks as GitHub } from '@octokit/webhooks';
import { WebhookEventVerifier as Onfido } from '@onfido/api';
import { Paddle } from '@paddle/paddle-node-sdk';
import { validateEvent as parsePolar, WebhookVerificationError as PolarRefuses } from '@polar-sh/sdk/webhooks';
import { EventWebhook as SendGrid } from '@sendgrid/eventwebhook';
import '@shopify/shopify-api/adapters/web-api';
import { ApiVersion, LogSeverity, shopifyApi } from '@shopify/shopify-api';
import { verifySlackRequest } from '@slack/bolt';
import { WorkOS } from '@workos-inc/node';
import braintree from 'braintree';
import { basicAuthValidator } from 'chargebee';
import { CloudEvent, HTTP } from 'cloudevents';
import coinbase from 'coinbase-commerce-node';
import { verifyKey as validDiscord } from 'discord-interactions';
import { parse as parseGoCardless } from 'gocardless-nodejs/webhooks';
import { Bot, webhookCallback } from 'grammy';
import jwt from 'jsonwebtoken';
import mailgun from 'mailgun-js';
import messageBird from 'messagebird/lib/webhook-signature-jwt.js';
import { OpenAI } from 'openai';
import Pusher from 'pusher';
import Razorpay from 'razorpay';
import { Resend } from 'resend';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { Webhook as Svix } from 'svix';
import twilio from 'twilio';
import { getSignatureAlgorithm } from 'twilio/lib/webhooks/webhooks.js';
import { WhatsAppAPI } from 'whatsapp-api-js';
import XHubSignature from 'x-hub-signature';

const json = { 'Content-Type': 'application/json' };
const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
const hex = bytes => randomBytes(bytes).toString('hex');
const base64 = bytes => randomBytes(bytes).toString('base64');
const hmac = (hash, key, text, encoding) => createHmac(hash, key).update(text).digest(encoding);
const sha256 = text => createHash('sha256').update(text).digest('hex');
const seconds = c => Math.floor(c.now / 1000).toString();
const escaped = text => text.replace(/[^\0-\x7f]/g, c => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));

const whsec = () => ({ secret: 'whsec_' + base64(24) });
// pair makes a key pair; what the endpoint knows of it is written as publicKey says.
const pair = (type, publicKey, options) => () => {
  const made = generateKeyPairSync(type, options);
  const der = made.publicKey.export({ type: 'spki', format: 'der' });
  return { secret: publicKey(der), privateKey: made.privateKey.export({ type: 'pkcs8', format: 'pem' }) };
};

// standard is a vendor that signs as Standard Webhooks have it, in headers with that prefix.
const standard = (prefix, library, more) => ({
  library, tolerance: 300, keys: whsec,
  sign: c => ({ headers: { ...json,
    [`${prefix}-id`]: c.id, [`${prefix}-timestamp`]: seconds(c),
    [`${prefix}-signature`]: new StandardWebhook(c.secret, { format: more.format }).sign(c.id, new Date(c.now), c.body) } }),
  ...more,
});

const hubSpot = (version, header, more) => ({
  library: '@hubspot/api-client', preset: `hubspot-${version}`,
  event: c => [{ eventId: c.number, subscriptionId: 7, occurredAt: c.now, subscriptionType: 'contact.creation', text: c.text }],
  sign: c => {
    const query = version === 'v1' ? '' : 'order=42';
    const options = { clientSecret: c.secret, requestBody: c.body, url: c.url + '?' + query, timestamp: c.now };
    return { query, headers: { ...json, 'X-HubSpot-Signature-Version': version, 'X-HubSpot-Request-Timestamp': `${c.now}`,
      [header]: HubSpot.getSignature('POST', version, options) } };
  },
  verify: (c, m) => HubSpot.isValid({
    method: 'POST', signatureVersion: version, signature: m.headers[header.toLowerCase()], clientSecret: c.secret,
    requestBody: m.body, url: m.url, timestamp: Number(m.headers['x-hubspot-request-timestamp']) }),
  ...more,
});

const xHub = (preset, more) => ({
  library: 'x-hub-signature', preset,
  event: c => ({ type: 'notification_event', topic: 'contact.user.created', id: c.id, text: c.text }),
  sign: c => ({ headers: { ...json, 'X-Hub-Signature': new XHubSignature('sha1', c.secret).sign(c.body), ...more?.(c) } }),
  verify: (c, m) => new XHubSignature('sha1', c.secret).verify(m.headers['x-hub-signature'], m.raw),
});

const adyen = new hmacValidator();
const braintreeOf = c => {
  const [publicKey, privateKey] = c.secret.split(':');
  return new braintree.BraintreeGateway({ environment: braintree.Environment.Sandbox, merchantId: 'm', publicKey, privateKey });
};
const shopify = c => shopifyApi({
  apiKey: 'k', apiSecretKey: c.secret, hostName: 'app.example.com', apiVersion: Object.values(ApiVersion)[0], isEmbeddedApp: false,
  logger: { level: LogSeverity.Error } });

export const vendors = {
  'adyen': {
    library: '@adyen/api-library', scheme: 'payments-in-body', keys: () => ({ secret: hex(32).toUpperCase() }),
    event: c => {
      const item = { pspReference: c.id, originalReference: '', merchantAccountCode: 'Shop', merchantReference: c.text,
        amount: { value: 1000 + c.number, currency: 'EUR' }, eventCode: 'AUTHORISATION', success: 'true' };
      item.additionalData = { hmacSignature: adyen.calculateHmac(item, c.secret) };
      return { live: 'false', notificationItems: [{ NotificationRequestItem: item }] };
    },
    sign: () => ({ headers: json }),
    verify: (c, m) => adyen.validateHMAC(JSON.parse(m.body).notificationItems[0].NotificationRequestItem, c.secret),
  },
  'adyen, platform': {
    library: '@adyen/api-library', preset: 'adyen', scheme: 'platform-header', keys: () => ({ secret: hex(32).toUpperCase() }),
    sign: c => ({ headers: { ...json, HmacSignature: adyen.calculateHmac(c.body, c.secret) } }),
    verify: (c, m) => adyen.validateHMACSignature(c.secret, m.headers.hmacsignature, m.body),
  },
  'braintree': {
    library: 'braintree', keys: () => ({ secret: `${hex(8)}:${hex(16)}` }),
    sign: c => {
      const made = braintreeOf(c).webhookTesting.sampleNotification(braintree.WebhookNotification.Kind.SubscriptionCanceled, c.id);
      return { headers: form, body: new URLSearchParams(made).toString() };
    },
    verify: (c, m) => braintreeOf(c).webhookNotification.parse(m.form.bt_signature, m.form.bt_payload),
    tamper: m => { m.body = m.body.replace('bt_payload=PG5v', 'bt_payload=PG5w'); },
  },
  'chargebee': {
    library: 'chargebee', credential: true, tamper: 'secret', keys: () => ({ secret: `shop:${hex(16)}` }),
    event: c => ({ id: c.id, event_type: 'invoice_generated', text: c.text }),
    sign: c => ({ headers: { ...json, Authorization: 'Basic ' + Buffer.from(c.secret).toString('base64') } }),
    verify: (c, m) => basicAuthValidator((name, password) => `${name}:${password}` === c.secret)(m.headers),
  },
  'cloudevents': {
    library: 'cloudevents', credential: true, tamper: 'secret',
    sign: c => {
      const made = HTTP.binary(new CloudEvent({ id: c.id, type: 'shop.paid', source: '/shop', data: { text: c.text } }));
      return { headers: { ...made.headers, Authorization: `Bearer ${c.secret}` }, body: made.body };
    },
    // The library takes an event without a version for one of 1.0; the specification does not.
    verify: (c, m) => HTTP.toEvent({ headers: m.headers, body: m.body }).validate() && m.headers['ce-specversion'] === '1.0'
      && m.headers.authorization === `Bearer ${c.secret}`,
  },
  'coinbase-commerce': {
    library: 'coinbase-commerce-node',
    event: c => ({ id: 1, event: { id: c.id, type: 'charge:confirmed', data: { text: c.text } } }),
    sign: c => ({ headers: { ...json, 'X-CC-Webhook-Signature': coinbase.Webhook.computeSignature(c.body, c.secret) } }),
    verify: (c, m) => coinbase.Webhook.verifyEventBody(m.body, m.headers['x-cc-webhook-signature'], c.secret),
  },
  'contentful': {
    library: '@contentful/node-apps-toolkit', tolerance: 30, keys: () => ({ secret: hex(32) }),
    sign: c => {
      const headers = { 'Content-Type': 'application/vnd.contentful.management.v1+json', 'X-Contentful-Topic': 'ContentManagement.Entry.publish' };
      const request = { method: 'POST', path: new URL(c.url).pathname, headers, body: c.body };
      return { headers: { ...headers, 'X-Contentful-Idempotency-Key': c.id, ...signRequest(c.secret, request, c.now) } };
    },
    verify: (c, m) => verifyRequest(c.secret, { method: 'POST', path: new URL(m.url).pathname, headers: m.headers, body: m.body }),
  },
  'discord': {
    library: 'discord-interactions', keys: pair('ed25519', der => der.subarray(-32).toString('hex')),
    event: c => ({ version: 1, type: 1, application_id: c.id, event: { type: 'APPLICATION_AUTHORIZED', data: { text: c.text } } }),
    sign: c => ({ headers: { ...json, 'X-Signature-Timestamp': seconds(c),
      'X-Signature-Ed25519': signWith(null, seconds(c) + c.body, c.privateKey).toString('hex') } }),
    verify: (c, m) => validDiscord(m.raw, m.headers['x-signature-ed25519'], m.headers['x-signature-timestamp'], c.secret),
  },
  'easypost': {
    library: '@easypost/api', keys: () => ({ secret: 'sécret-' + hex(16) }),
    event: c => ({ id: c.id, object: 'Event', description: 'tracker.updated', text: c.text }),
    sign: c => ({ headers: { ...json, 'X-Hmac-Signature': 'hmac-sha256-hex=' + hmac('sha256', c.secret.normalize('NFKD'), c.body, 'hex') } }),
    verify: (c, m) => new EasyPost('k').Utils.validateWebhook(m.raw, m.headers, c.secret),
  },
  'github': {
    library: '@octokit/webhooks',
    sign: async c => ({ headers: { ...json, 'X-GitHub-Event': 'issues', 'X-GitHub-Delivery': c.id,
      'X-Hub-Signature-256': await new GitHub({ secret: c.secret }).sign(c.body) } }),
    verify: (c, m) => new GitHub({ secret: c.secret }).verify(m.body, m.headers['x-hub-signature-256']),
  },
  'github, SHA-1': xHub('github-sha1-legacy', c => ({ 'X-GitHub-Event': 'issues', 'X-GitHub-Delivery': c.id })),
  'gocardless': {
    library: 'gocardless-nodejs',
    event: c => ({ events: [{ id: c.id, resource_type: 'payments', action: 'confirmed', text: c.text }], meta: { webhook_id: c.id } }),
    sign: c => ({ headers: { ...json, 'Webhook-Signature': hmac('sha256', c.secret, c.body, 'hex') } }),
    verify: (c, m) => parseGoCardless(m.body, c.secret, m.headers['webhook-signature']),
  },
  'hubspot': hubSpot('v3', 'X-HubSpot-Signature-v3', { preset: 'hubspot', tolerance: 300 }),
  'hubspot, v1': hubSpot('v1', 'X-HubSpot-Signature'),
  'hubspot, v2': hubSpot('v2', 'X-HubSpot-Signature'),
  'intercom': xHub('intercom'),
  'line': {
    library: '@line/bot-sdk',
    event: c => ({ destination: 'U1', events: [{ type: 'message', webhookEventId: c.id, message: { type: 'text', text: c.text } }] }),
    sign: c => ({ headers: { ...json, 'x-line-signature': hmac('sha256', c.secret, c.body, 'base64') } }),
    verify: (c, m) => validLine(m.raw, c.secret, m.headers['x-line-signature']),
  },
  'linear': {
    library: '@linear/sdk', tolerance: 60,
    event: c => ({ type: 'Issue', action: 'create', webhookId: c.id, webhookTimestamp: c.now, data: { text: c.text } }),
    sign: c => ({ headers: { ...json, 'Linear-Delivery': c.id, 'Linear-Event': 'Issue',
      'Linear-Signature': hmac('sha256', c.secret, c.body, 'hex') } }),
    verify: (c, m) => new LinearWebhookClient(c.secret).verify(m.raw, m.headers['linear-signature']),
  },
  'mailgun': {
    library: 'mailgun-js', tolerance: 900,
    event: c => ({
      signature: { timestamp: seconds(c), token: c.id, signature: hmac('sha256', c.secret, seconds(c) + c.id, 'hex') },
      'event-data': { id: c.id + '-event', event: 'delivered', text: c.text } }),
    sign: () => ({ headers: json }),
    verify: (c, m) => {
      const { timestamp, token, signature } = JSON.parse(m.body).signature;
      return mailgun({ apiKey: c.secret, domain: 'example.com' }).validateWebhook(timestamp, token, signature);
    },
    tamper: m => { m.body = m.body.replace('"token":"', '"token":"0'); }, // the rest is not signed
  },
  'messagebird': {
    library: 'messagebird', tolerance: 65, // a token is for a minute, and five seconds more
    sign: c => {
      const query = 'order=42';
      const claims = { nbf: Number(seconds(c)), exp: Number(seconds(c)) + 60, jti: c.id, iss: 'MessageBird',
        url_hash: sha256(`${c.url}?${query}`), payload_hash: sha256(c.body) };
      return { query, headers: { ...json, 'MessageBird-Signature-JWT': jwt.sign(claims, c.secret, { noTimestamp: true }) } };
    },
    verify: (c, m) => messageBird.verify(m.url, m.raw, m.headers['messagebird-signature-jwt'], Buffer.from(c.secret)),
  },
  'meta': {
    library: 'whatsapp-api-js',
    event: c => ({ object: 'whatsapp_business_account', entry: [{ id: c.id, changes: [{ field: 'messages', value: { text: c.text } }] }] }),
    sign: c => {
      const body = escaped(c.body);
      return { body, headers: { ...json, 'X-Hub-Signature-256': 'sha256=' + hmac('sha256', c.secret, body, 'hex') } };
    },
    verify: (c, m) => new WhatsAppAPI({ token: 't', appSecret: c.secret, v: 'v24.0' }).verifyRequestSignature(m.body, m.headers['x-hub-signature-256']),
  },
  'monday': {
    library: 'jsonwebtoken', credential: true, tamper: 'secret', parameters: url => ({ audience: url }),
    event: c => ({ event: { type: 'create_pulse', triggerUuid: c.id, text: c.text } }),
    sign: c => ({ headers: { ...json, Authorization: jwt.sign({ aud: c.url, exp: Number(seconds(c)) + 300 }, c.secret) } }),
    verify: (c, m) => jwt.verify(m.headers.authorization, c.secret, { algorithms: ['HS256'], audience: m.url }),
  },
  'mux': {
    library: '@mux/mux-node', tolerance: 300,
    sign: c => ({ headers: { ...json, 'Mux-Signature': `t=${seconds(c)},v1=${hmac('sha256', c.secret, `${seconds(c)}.${c.body}`, 'hex')}` } }),
    verify: async (c, m) => { await new Mux({ tokenId: 'i', tokenSecret: 's' }).webhooks.unwrap(m.body, m.headers, c.secret); },
  },
  'netlify': {
    library: 'jsonwebtoken',
    event: c => ({ id: c.id, state: 'ready', text: c.text }),
    sign: c => ({ headers: { ...json,
      'X-Webhook-Signature': jwt.sign({ iss: 'netlify', sha256: sha256(c.body) }, c.secret, { noTimestamp: true }) } }),
    verify: (c, m) => jwt.verify(m.headers['x-webhook-signature'], c.secret, { algorithms: ['HS256'], issuer: 'netlify' }).sha256 === sha256(m.raw),
  },
  'notion': {
    library: '@notionhq/client',
    sign: async c => ({ headers: { ...json, 'X-Notion-Signature': await signNotion({ body: c.body, verificationToken: c.secret }) } }),
    verify: (c, m) => validNotion({ body: m.raw, signature: m.headers['x-notion-signature'], verificationToken: c.secret }),
  },
  'onfido': {
    library: '@onfido/api',
    event: c => ({ payload: { resource_type: 'check', action: 'check.completed', object: { id: c.id, text: c.text } } }),
    sign: c => ({ headers: { ...json, 'X-SHA2-Signature': hmac('sha256', c.secret, c.body, 'hex') } }),
    verify: (c, m) => new Onfido(c.secret).readPayload(m.raw, m.headers['x-sha2-signature']),
  },
  'openai': standard('webhook', 'openai', {
    verify: (c, m) => new OpenAI({ apiKey: 'k' }).webhooks.unwrap(m.body, m.headers, c.secret),
  }),
  'paddle': {
    library: '@paddle/paddle-node-sdk', tolerance: 5,
    event: c => ({ event_id: c.id, event_type: 'transaction.paid', text: c.text }),
    sign: c => ({ headers: { ...json, 'Paddle-Signature': `ts=${seconds(c)};h1=${hmac('sha256', c.secret, `${seconds(c)}:${c.body}`, 'hex')}` } }),
    verify: (c, m) => new Paddle('k').webhooks.isSignatureValid(m.body, c.secret, m.headers['paddle-signature']),
  },
  'polar': standard('webhook', '@polar-sh/sdk', {
    format: 'raw', keys: () => ({ secret: 'polar_whs_' + hex(16) }),
    // The library reads the signature first, and then demands all members that its events have.
    verify: (c, m) => {
      try { parsePolar(m.body, m.headers, c.secret); } catch (error) { if (error instanceof PolarRefuses) throw error; }
    },
  }),
  'pusher': {
    library: 'pusher', keys: () => ({ secret: `${hex(8)}:${hex(16)}` }),
    event: c => ({ time_ms: c.now, events: [{ name: 'channel_occupied', channel: c.id, text: c.text }] }),
    sign: c => {
      const [key, secret] = c.secret.split(':');
      return { headers: { ...json, 'X-Pusher-Key': key, 'X-Pusher-Signature': new Pusher.Token(key, secret).sign(c.body) } };
    },
    verify: (c, m) => {
      const [key, secret] = c.secret.split(':');
      return new Pusher({ appId: '1', key, secret, cluster: 'eu' }).webhook({ headers: m.headers, rawBody: m.body }).isValid();
    },
  },
  'razorpay': {
    library: 'razorpay',
    event: c => ({ entity: 'event', event: 'payment.captured', payload: { text: c.text } }),
    sign: c => ({ headers: { ...json, 'x-razorpay-event-id': c.id, 'X-Razorpay-Signature': hmac('sha256', c.secret, c.body, 'hex') } }),
    verify: (c, m) => Razorpay.validateWebhookSignature(m.body, m.headers['x-razorpay-signature'], c.secret),
  },
  'resend': standard('svix', 'resend', {
    preset: 'svix',
    verify: (c, m) => new Resend('re_1').webhooks.verify({ payload: m.body, webhookSecret: c.secret, headers: {
      id: m.headers['svix-id'], timestamp: m.headers['svix-timestamp'], signature: m.headers['svix-signature'] } }),
  }),
  'sendgrid': {
    library: '@sendgrid/eventwebhook', keys: pair('ec', der => der.toString('base64'), { namedCurve: 'P-256' }),
    event: c => [{ sg_event_id: c.id, event: 'delivered', text: c.text }],
    sign: c => ({ headers: { ...json, 'X-Twilio-Email-Event-Webhook-Timestamp': seconds(c),
      'X-Twilio-Email-Event-Webhook-Signature': signWith('sha256', seconds(c) + c.body, c.privateKey).toString('base64') } }),
    verify: (c, m) => {
      const library = new SendGrid();
      return library.verifySignature(library.convertPublicKeyToECDSA(c.secret), m.raw,
        m.headers['x-twilio-email-event-webhook-signature'], m.headers['x-twilio-email-event-webhook-timestamp']);
    },
  },
  'shopify': {
    library: '@shopify/shopify-api',
    event: c => ({ id: c.number, note: c.text }),
    sign: c => ({ headers: { ...json, 'X-Shopify-Topic': 'orders/create', 'X-Shopify-Webhook-Id': c.id,
      'X-Shopify-Shop-Domain': 'shop.example.com', 'X-Shopify-API-Version': '2026-01',
      'X-Shopify-Hmac-Sha256': hmac('sha256', c.secret, c.body, 'base64') } }),
    verify: async (c, m) => {
      const rawRequest = new Request(m.url, { method: 'POST', headers: m.headers, body: m.raw });
      const result = await shopify(c).webhooks.validate({ rawBody: m.body, rawRequest });
      if (!result.valid) throw new Error(`${result.reason} ${result.missingHeaders ?? ''}`);
    },
  },
  'slack': {
    library: '@slack/bolt', tolerance: 300,
    event: c => ({ type: 'event_callback', event_id: c.id, event: { type: 'message', text: c.text } }),
    sign: c => ({ headers: { ...json, 'X-Slack-Request-Timestamp': seconds(c),
      'X-Slack-Signature': 'v0=' + hmac('sha256', c.secret, `v0:${seconds(c)}:${c.body}`, 'hex') } }),
    verify: (c, m) => verifySlackRequest({ signingSecret: c.secret, body: m.body, headers: {
      'x-slack-signature': m.headers['x-slack-signature'], 'x-slack-request-timestamp': Number(m.headers['x-slack-request-timestamp']) } }),
  },
  'standard-webhooks': standard('webhook', 'standardwebhooks', {
    verify: (c, m) => new StandardWebhook(c.secret).verify(m.body, m.headers),
  }),
  'stripe': {
    library: 'stripe', tolerance: 300, keys: () => ({ secret: 'whsec_' + hex(16) }),
    event: c => ({ id: c.id, object: 'event', type: 'invoice.paid', text: c.text }),
    sign: c => ({ headers: { ...json, 'Stripe-Signature': Stripe.webhooks.generateTestHeaderString(
      { payload: c.body, secret: c.secret, timestamp: Number(seconds(c)) }) } }),
    verify: (c, m) => Stripe.webhooks.constructEvent(m.raw, m.headers['stripe-signature'], c.secret),
  },
  'svix': standard('svix', 'svix', { verify: (c, m) => new Svix(c.secret).verify(m.body, m.headers) }),
  'svix, unbranded': standard('webhook', 'svix', {
    preset: 'svix', scheme: 'unbranded', verify: (c, m) => new Svix(c.secret).verify(m.body, m.headers),
  }),
  'telegram': {
    library: 'grammy', credential: true, tamper: 'secret',
    event: c => ({ update_id: c.number, message: { message_id: 1, date: 1, chat: { id: 1, type: 'private' }, text: c.text } }),
    sign: c => ({ headers: { ...json, 'X-Telegram-Bot-Api-Secret-Token': c.secret } }),
    verify: async (c, m) => {
      const bot = new Bot('1:a', { botInfo: { id: 1, is_bot: true, first_name: 'b', username: 'b' } });
      const handle = webhookCallback(bot, 'std/http', { secretToken: c.secret });
      return (await handle(new Request(m.url, { method: 'POST', headers: m.headers, body: m.raw }))).status === 200;
    },
  },
  'twilio': {
    library: 'twilio',
    sign: c => {
      const query = 'order=42', fields = { MessageSid: c.id, MessageStatus: 'sent', Body: c.text };
      return { query, body: new URLSearchParams(fields).toString(), headers: { ...form, 'I-Twilio-Idempotency-Token': c.id,
        'X-Twilio-Signature': twilio.getExpectedTwilioSignature(c.secret, `${c.url}?${query}`, fields) } };
    },
    verify: (c, m) => twilio.validateRequest(c.secret, m.headers['x-twilio-signature'], m.url, m.form),
  },
  'twilio, JSON': {
    library: 'twilio', preset: 'twilio', scheme: 'json',
    sign: c => {
      const query = `order=42&bodySHA256=${twilio.getExpectedBodyHash(c.body)}`;
      return { query, headers: { ...json, 'I-Twilio-Idempotency-Token': c.id,
        'X-Twilio-Signature': twilio.getExpectedTwilioSignature(c.secret, `${c.url}?${query}`, {}) } };
    },
    verify: (c, m) => twilio.validateRequestWithBody(c.secret, m.headers['x-twilio-signature'], m.url, m.body),
  },
  'twilio, SHA-256': {
    library: 'twilio', preset: 'twilio', scheme: 'default-sha256',
    sign: c => {
      const fields = { MessageSid: c.id, MessageStatus: 'sent', Body: c.text };
      return { body: new URLSearchParams(fields).toString(), headers: { ...form, 'I-Twilio-Idempotency-Token': c.id,
        'X-Twilio-Webhooks-Signature-Settings': 'key=k,algorithm=HMAC_SHA256',
        'X-Twilio-Signature': twilio.getExpectedTwilioSignature(c.secret, c.url, fields, 'HMAC_SHA256') } };
    },
    verify: (c, m) => twilio.validateRequest(c.secret, m.headers['x-twilio-signature'], m.url, m.form,
      getSignatureAlgorithm(m.headers['x-twilio-webhooks-signature-settings'])),
  },
  'workos': {
    library: '@workos-inc/node', tolerance: 180,
    event: c => ({ id: c.id, event: 'user.created', created_at: new Date(c.now).toISOString(), data: { id: c.id, email: 'a@example.com', text: c.text } }),
    sign: async c => ({ headers: { ...json,
      'WorkOS-Signature': `t=${c.now}, v1=${await new WorkOS('sk_1').webhooks.computeSignature(c.now, JSON.parse(c.body), c.secret)}` } }),
    verify: (c, m) => new WorkOS('sk_1').webhooks.verifyHeader(
      { payload: JSON.parse(m.body), sigHeader: m.headers['workos-signature'], secret: c.secret }),
  },
};
