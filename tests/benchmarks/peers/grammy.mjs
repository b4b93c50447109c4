// grammY with its throttler and its retrying, both as their own pages show them.
//     node grammy.mjs URL TOKEN PEOPLE RATE IN_FLIGHT TEXT
import { Api } from "grammy";
import { apiThrottler } from "@grammyjs/transformer-throttler";
import { autoRetry } from "@grammyjs/auto-retry";
import http from "node:http";

const [url, token, people, rate, inFlight, text] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: Number(inFlight) });
const api = new Api(token, { apiRoot: url, baseFetchConfig: { agent, compress: true } });
const every = { reservoir: Number(rate), reservoirRefreshAmount: Number(rate), reservoirRefreshInterval: 1000 };
api.config.use(autoRetry());
api.config.use(apiThrottler({ global: every }));
const labels = ["Sí", "No puedo", "Tal vez"];
const inline_keyboard = labels.map((one, n) => [{ text: one, callback_data: `foro-1.0.${n}` }]);
const chats = Array.from({ length: Number(people) }, (_, n) => n + 1);
await Promise.all(chats.map((chat) =>
  api.sendMessage(chat, text, { reply_markup: { inline_keyboard } }).catch((error) => console.error(chat, error.message))));
process.exit(0);
