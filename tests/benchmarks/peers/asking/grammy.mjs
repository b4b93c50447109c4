// grammY with its sessions, kept in SQLite; the hook is answered when a turn is done.
//     node grammy.mjs URL TOKEN SECRET PORT FOLDER
import { Bot, session, webhookCallback } from "grammy";
import http from "node:http";
import { AGAIN, QUESTIONS, THANKS, ask, sqlite, understood } from "./questionnaire.mjs";

const [url, token, secretToken, port, folder] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true });
const bot = new Bot(token, { client: { apiRoot: url, baseFetchConfig: { agent, compress: true } } });
const store = sqlite(folder);
const storage = { read: store.get, write: store.set, delete: store.delete };
bot.use(session({ initial: () => ({ at: -1, answers: {} }), storage }));
bot.on("message:text", async (ctx) => {
  const talk = ctx.session;
  if (talk.at >= 0) {
    const question = QUESTIONS[talk.at];
    const found = understood(question, ctx.message.text);
    if (found === null) return ctx.reply(question.again ?? AGAIN);
    talk.answers[question.name] = found;
  }
  talk.at++;
  if (talk.at < QUESTIONS.length) return ask(ctx, QUESTIONS[talk.at]);
  talk.at = -1;
  return ctx.reply(THANKS);
});
http.createServer(webhookCallback(bot, "http", { secretToken })).listen(Number(port), "127.0.0.1");
