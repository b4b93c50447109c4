// telegraf with a wizard, its session kept in SQLite; messages are calls of their own.
//     node telegraf.mjs URL TOKEN SECRET PORT FOLDER
import { Scenes, Telegraf, session } from "telegraf";
import http from "node:http";
import { AGAIN, QUESTIONS, THANKS, ask, sqlite, understood } from "./questionnaire.mjs";

const [url, token, secretToken, port, folder] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true });
const bot = new Telegraf(token, { telegram: { apiRoot: url, agent, webhookReply: false } });
const begin = async (ctx) => {
  ctx.scene.session.answers = {};
  ctx.wizard.next();
  await ask(ctx, QUESTIONS[0]);
};
const steps = QUESTIONS.map((question, n) => async (ctx) => {
  const found = understood(question, ctx.message.text);
  if (found === null) return ctx.reply(question.again ?? AGAIN);
  ctx.scene.session.answers[question.name] = found;
  ctx.wizard.next();
  if (n + 1 < QUESTIONS.length) return ask(ctx, QUESTIONS[n + 1]);
  await ctx.reply(THANKS);
  return ctx.scene.leave();
});
bot.use(session({ store: sqlite(folder) }));
bot.use(new Scenes.Stage([new Scenes.WizardScene("consulta", begin, ...steps)]).middleware());
bot.on("text", (ctx) => ctx.scene.enter("consulta"));
http.createServer(bot.webhookCallback("/hooks/telegram", { secretToken })).listen(Number(port), "127.0.0.1");
