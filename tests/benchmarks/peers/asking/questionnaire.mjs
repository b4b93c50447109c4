// The questions that the libraries in Node ask, what an answer means, and where a talk is kept.
import Database from "better-sqlite3";
import { readFileSync } from "node:fs";

export const QUESTIONS = JSON.parse(readFileSync(new URL("questionnaire.json", import.meta.url)));
export const AGAIN = "No entendí. Toca una opción o escribe su número.";
export const THANKS = "Gracias.";

// The answer, or null where the question has to be asked again.
export function understood(question, said) {
  said = said.trim();
  if (!question.choices) return said === "saltar" || said.length >= (question.least ?? 1) ? said : null;
  const known = {};
  Object.entries(question.choices).forEach(([name, label], n) => {
    known[n + 1] = known[name] = known[label.toLowerCase()] = name;
  });
  const parts = question.many ? said.toLowerCase().split(",") : [said.toLowerCase()];
  const found = parts.map((part) => known[part.trim()] ?? null);
  return found.includes(null) ? null : found.join(",");
}

export async function ask(ctx, question) {
  if (question.notice) await ctx.reply(question.notice);
  const choices = Object.entries(question.choices ?? {});
  const inline_keyboard = choices.map(([name, label]) => [{ text: label, callback_data: `${question.name}.${name}` }]);
  await ctx.reply(question.text, choices.length ? { reply_markup: { inline_keyboard } } : {});
}

export function sqlite(folder) {
  const db = new Database(`${folder}/talks.db`);
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.exec("CREATE TABLE IF NOT EXISTS talks (key TEXT PRIMARY KEY, value TEXT)");
  const get = db.prepare("SELECT value FROM talks WHERE key = ?");
  const set = db.prepare("INSERT INTO talks VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value");
  const remove = db.prepare("DELETE FROM talks WHERE key = ?");
  return {
    get: (key) => { const row = get.get(key); return row && JSON.parse(row.value); },
    set: (key, value) => { set.run(key, JSON.stringify(value)); },
    delete: (key) => { remove.run(key); },
  };
}
