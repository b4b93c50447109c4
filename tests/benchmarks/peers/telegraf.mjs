// telegraf, which has neither limiter nor retrying: many at once.
//     node telegraf.mjs URL TOKEN PEOPLE RATE IN_FLIGHT TEXT
import { Telegram } from "telegraf";
import http from "node:http";

const [url, token, people, , inFlight, text] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: Number(inFlight) });
const bot = new Telegram(token, { apiRoot: url, agent });
const labels = ["Sí", "No puedo", "Tal vez"];
const inline_keyboard = labels.map((one, n) => [{ text: one, callback_data: `foro-1.0.${n}` }]);
let next = 1;
async function lane() {
  while (next <= Number(people)) {
    const chat = next++;
    await bot.sendMessage(chat, text, { reply_markup: { inline_keyboard } }).catch((error) => console.error(chat, error.message));
  }
}
await Promise.all(Array.from({ length: Number(inFlight) }, lane));
process.exit(0);
