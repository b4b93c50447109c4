// Sends what is said, asks for the answers, and draws both as a phone would.
"use strict";

const FAST = 150; // ms between two looks, after something was said
const SLOW = 2000; // ms, when nothing happens
const EAGER = 3000; // ms of FAST before it relaxes
const PATIENCE = 10000; // ms of typing dots without an answer
const SAY_LIMIT = 20000; // ms before a text counts as not sent
const VOICE_LIMIT = 180000; // ms: a voice note over a slow line
const FILE_LIMIT = 16e6; // bytes: what WhatsApp takes
const QUICK = { choices: 3, label: 20 }; // WhatsApp: buttons under the message
const LIST = { choices: 10, label: 24 }; // WhatsApp: one button that opens a list
const TAPES = ["audio/ogg;codecs=opus", "audio/webm;codecs=opus", "audio/mp4"];
const LANGUAGES = { es: "Español", yua: "Maya" };
const NO_MICROPHONE = "No hay permiso para usar el micrófono: se da en los ajustes del navegador.";
const STATES = {
  sending: ["…", "enviando"],
  sent: ["✓", "enviado"],
  stored: ["✓✓", "recibido"],
  failed: ["!", "no enviado"],
};
const PLACE = {
  1: "No hay permiso para usar tu ubicación: se da en los ajustes del navegador.",
  2: "No se pudo saber dónde estás.",
  3: "Tu ubicación tardó demasiado.",
};

const base = location.pathname.replace(/\/+$/, "");
const csrf = document.querySelector("meta[name=csrf-token]").content;
const $ = (id) => document.getElementById(id);
const [log, scroller, words] = [$("log"), $("scroll"), $("words")];

const views = new Map(); // message id → what is on the screen
const sent = new Map(); // our own id → the same
const labels = new Map(); // payload → what its button says
let last = 0; // the newest message seen
let era = 0; // counts restarts: earlier answers are thrown away
let lively = -EAGER; // when something last happened
let awaited = 0; // when an answer was last expected, or 0
let polling = false;
let timer = 0;
let atEnd = true; // the newest is in sight
let queue = Promise.resolve(); // they leave in the order written

const wide = matchMedia("(min-width: 960px)");
const look = () => document.body.className;

function hour(at) {
  const digits = { hour: "2-digit", minute: "2-digit", hour12: false };
  return make("time", { dateTime: at }, new Date(at).toLocaleTimeString("es-MX", digits));
}

function make(tag, given = {}, ...inside) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...inside);
  return node;
}

const button = (given, ...inside) => make("button", { type: "button", ...given }, ...inside);

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12)); // randomUUID is missing over plain http
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// --- Talking to the server

async function ask(path, options = {}, limit = SAY_LIMIT) {
  const stop = new AbortController();
  const alarm = setTimeout(() => stop.abort(), limit);
  try {
    const answer = await fetch(base + path, { ...options, signal: stop.signal, cache: "no-store" });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) throw Object.assign(new Error("refused"), { words: body.error || "" });
    return body;
  } finally {
    clearTimeout(alarm);
  }
}

function post(path, body, limit) {
  const headers = { "X-CSRF-Token": csrf };
  if (!(body instanceof FormData)) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(body);
  }
  return ask(path, { method: "POST", headers, body }, limit);
}

function say(what, shown) {
  const id = newId();
  send(id, shown, () => post("/say", { id, ...what }));
}

function send(id, shown, request) {
  const message = { from: "me", at: new Date().toISOString(), ...shown };
  const view = { client: id, state: "sending", request, message };
  sent.set(id, view);
  atEnd = true;
  draw(view);
  place(view);
  queue = queue.then(() => attempt(view));
}

async function attempt(view) {
  const mine = era;
  if (!sent.has(view.client)) return; // written before the restart
  try {
    awaited = performance.now(); // first
    await view.request();
    if (mine !== era) return;
    settle(view, "sent");
    wake();
  } catch (error) {
    awaited = 0;
    if (mine === era) settle(view, "failed", error.words);
  }
}

function settle(view, state, reason = "") {
  if (view.state === "stored") return; // it is in the log: it arrived
  view.state = state;
  view.reason = reason;
  draw(view);
  showDots();
  keepEnd();
}

function retry(view) {
  view.state = "sending";
  draw(view);
  $("attach").focus(); // the pressed button is gone
  queue = queue.then(() => attempt(view));
}

function wake() {
  lively = performance.now();
  schedule(50);
}

function pace() {
  const quiet = performance.now() - lively - EAGER;
  return quiet < 0 ? FAST : Math.min(SLOW, FAST + quiet / 4);
}

function schedule(wait = pace()) {
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(poll, wait);
}

async function poll() {
  if (polling) return;
  polling = true;
  const mine = era;
  try {
    const news = await ask(`/messages?after=${last}`);
    if (mine === era) take(news);
    $("presence").textContent = news.typing ? "escribiendo…" : "en línea";
  } catch {
    $("presence").textContent = "sin conexión, reintentando…";
  } finally {
    polling = false;
    schedule(mine === era ? undefined : 0);
  }
}

function take(news) {
  for (const message of news.messages) {
    last = Math.max(last, message.id);
    receive(message);
  }
  const heard = news.messages.some((message) => message.from === "bot");
  if (heard && !news.typing) awaited = 0;
  if (heard || news.typing) lively = performance.now();
  if (heard) refreshStored();
  $("empty").hidden = log.childElementCount > 0;
  showDots(news.typing);
  keepEnd(heard);
  speakUp(); // what was there before is not read aloud
}

function receive(message) {
  if (views.has(message.id)) return;
  const known = message.from === "me" ? sent.get(message.client) : views.get(message.edits);
  const view = known || { first: message.id };
  views.set(message.id, view);
  for (const { payload, label } of message.choices) labels.set(payload, label);
  message.text ||= known?.message.text || labels.get(message.payload) || "";
  if (message.from === "me" && known) {
    message.local = known.message.local;
    view.first = message.id;
  }
  view.message = message;
  view.state = "stored";
  draw(view);
  if (!known || message.from === "me") place(view);
}

const speakUp = () => requestAnimationFrame(() => log.setAttribute("aria-live", "polite"));

function showDots(typing = false) {
  if (awaited && performance.now() - awaited > PATIENCE) awaited = 0;
  $("dots").hidden = !(typing || awaited);
}

// --- Drawing a message

function draw(view) {
  const { message } = view;
  if (!view.node) {
    view.bubble = make("div", { className: "bubble" });
    view.choices = make("div", { className: "choices", role: "group", "aria-label": "Opciones" });
    view.day = make("p", { className: "day", hidden: true });
    view.node = make("article", {}, view.day, view.bubble);
    if (message.from === "bot") view.node.append(view.choices);
    else view.node.setAttribute("aria-live", "off"); // people know what they said
  }
  view.node.className = `message ${message.from} ${message.kind} ${view.state}`;
  const shape = JSON.stringify([message.text, view.state, view.reason, numbered(message)]);
  if (shape !== view.shape) drawBubble(view);
  view.shape = shape;
  if (message.from === "bot") drawChoices(view);
}

function drawBubble(view) {
  const { message, state } = view;
  const mine = message.from === "me";
  const parts = [make("span", { className: "unseen" }, mine ? "Tú: " : "La consulta: ")];
  const src = message.local || message.audio;
  if (src) parts.push((view.player ||= player(src, "Nota de voz")));
  for (const { label, image, audio } of message.shown || []) {
    const seen = image && make("img", { src: image, alt: "" });
    parts.push(make("figure", {}, seen, label, audio && player(audio, label)));
  }
  if (message.point) parts.push(mapLink(message.point));
  const said = message.from === "bot" ? linked(text(message)) : [text(message)];
  parts.push(make("p", { className: "words", dir: "auto" }, ...said, meta(message, state)));
  if (state === "failed") {
    const why = `${view.reason || "No se envió."} Toca para reintentar`;
    const again = button({ className: "retry", onclick: () => retry(view) }, why);
    parts.push(make("div", { role: "alert" }, again));
  }
  view.bubble.replaceChildren(...parts);
}

const player = (src, label) => // data costs
  make("audio", { src, controls: true, preload: "none", "aria-label": label });

function text(message) {
  const said = message.text || (message.kind === "voice" ? "Nota de voz" : "");
  if (!numbered(message)) return said;
  const offered = message.several ? message.choices.slice(0, -1) : message.choices; // no "done"
  return `${said}\n${offered.map((choice, i) => `\n${i + 1}. ${choice.label}`).join("")}`;
}

function linked(said) {
  const parts = said.split(/(https?:\/\/[^\s<>"]*[^\s<>".,;:!?)\]])/); // every second one a link
  return parts.map((part, i) => (i % 2 ? outside(part, part) : part));
}

const outside = (href, said) => make("a", { href, target: "_blank", rel: "noreferrer" }, said);

function meta(message, state) {
  if (message.from === "bot") return make("span", { className: "meta" }, hour(message.at));
  const [sign, meaning] = STATES[state];
  const tick = make("span", { className: "tick", "aria-hidden": "true" }, sign);
  const read = make("span", { className: "unseen" }, ` ${meaning}`);
  return make("span", { className: "meta" }, hour(message.at), tick, read);
}

function mapLink([lat, lon]) {
  const href = `https://www.openstreetmap.org/?mlat=${lat}&mlon=${lon}#map=15/${lat}/${lon}`;
  const where = `📍 ${lat.toFixed(4)}, ${lon.toFixed(4)} · `;
  return make("span", { className: "where" }, where, outside(href, "Ver en el mapa"));
}

// In the server's order; what it has not seen yet stands last.
function place({ node, first, message, day }) {
  node.order = first || Infinity;
  const older = (other) => other !== node && other.order <= node.order;
  const before = [...log.children].reverse().find(older);
  const after = before ? before.nextElementSibling : log.firstElementChild;
  if (after !== node) log.insertBefore(node, after);
  const at = new Date(message.at);
  day.textContent = at.toLocaleDateString("es-MX", { day: "numeric", month: "long" });
  node.day = day.textContent;
  day.hidden = Boolean(before && before.day === node.day);
  $("empty").hidden = true;
}

function keepEnd(news = false) {
  if (atEnd) scroller.scrollTop = scroller.scrollHeight;
  else if (news) $("newer").hidden = false;
}

// --- Choices, as each app shows them

function shapeOf({ choices = [], several }) {
  const longest = Math.max(...choices.map((choice) => choice.label.length));
  const fits = (most) => choices.length <= most.choices && longest <= most.label;
  if (!choices.length) return "none";
  if (look() === "telegram") return "keyboard";
  if (several) return "numbers";
  return fits(QUICK) ? "keyboard" : fits(LIST) ? "list" : "numbers";
}

const numbered = (message) => shapeOf(message) === "numbers";

function drawChoices(view) {
  const { message } = view;
  const { choices = [] } = message;
  const shape = shapeOf(message);
  const plan = JSON.stringify([look(), shape, choices.map((choice) => choice.payload)]);
  if (plan !== view.plan) {
    view.plan = plan;
    view.choices.className = `choices by${across(message)}`;
    view.choices.replaceChildren(...choiceButtons(view, shape));
  }
  if (shape === "keyboard") [...view.choices.children].forEach((node, i) => mark(view, node, i));
}

// Short labels stand two or three in a row on Telegram.
function across({ choices, several }) {
  if (look() !== "telegram") return 1;
  const shown = several ? choices.slice(0, -1) : choices;
  const longest = Math.max(...shown.map((choice) => choice.label.length + (several ? 2 : 0)));
  const most = longest <= 8 ? 3 : longest <= 16 ? 2 : 1;
  return Math.ceil(shown.length / Math.ceil(shown.length / most)) || 1;
}

function choiceButtons(view, shape) {
  if (shape === "list") {
    const open = ({ target }) => openSheet(view, target);
    return [button({ "aria-haspopup": "dialog", onclick: open }, "Ver opciones")];
  }
  if (shape !== "keyboard") return [];
  const pick = (i) => press(view, view.message.choices[i]);
  return view.message.choices.map((_, i) => button({ dir: "auto", onclick: () => pick(i) }));
}

// Only what changed is touched: the button keeps its focus, only the change is read aloud.
function mark(view, node, i) {
  const { choices, several, chosen } = view.message;
  const { label, payload } = choices[i];
  if (node.textContent !== label) node.textContent = label;
  if (several && i === choices.length - 1) node.className = "done";
  else if (several) node.setAttribute("aria-pressed", String(chosen.includes(payload)));
}

function press(view, choice) {
  say({ payload: choice.payload, pressed: view.first }, { kind: "button", text: choice.label });
}

function openSheet(view, opener) {
  const rows = view.message.choices.map((choice) => {
    const pick = () => { closeSheet(); press(view, choice); };
    return make("li", {}, button({ dir: "auto", onclick: pick }, choice.label));
  });
  $("sheet-list").replaceChildren(...rows);
  $("sheet").hidden = false;
  $("sheet").opener = opener;
  for (const other of outsideSheet()) other.inert = true;
  $("sheet-list").querySelector("button").focus();
}

function closeSheet() {
  if ($("sheet").hidden) return;
  $("sheet").hidden = true;
  for (const other of outsideSheet()) other.inert = false;
  $("sheet").opener.focus();
}

function outsideSheet() {
  return document.querySelectorAll(".top, #phone > :not(#sheet), #stored");
}

function dress(name) {
  document.body.className = name;
  document.querySelector(`input[name=look][value=${name}]`).checked = true;
  log.setAttribute("aria-live", "off"); // the same words in other clothes are not news
  for (const view of new Set([...views.values(), ...sent.values()])) draw(view);
  speakUp();
  keepEnd();
}

// --- Writing

function fit() {
  words.rows = 1;
  while (words.scrollHeight > words.clientHeight + 2 && words.rows < 5) words.rows += 1;
  const talk = canRecord() && !words.value.trim();
  $("mic").hidden = !talk;
  $("send").hidden = talk;
}

function submit(event) {
  event.preventDefault();
  const said = words.value;
  if (!said.trim()) return;
  notice("");
  words.value = "";
  fit();
  say({ text: said }, { kind: "text", text: said });
  words.focus();
}

function notice(said) {
  $("notice-words").textContent = said;
  $("notice").hidden = !said;
}

function toggleMenu(open) {
  $("menu").hidden = !open;
  $("attach").setAttribute("aria-expanded", String(open));
  if (open) $("menu").querySelector("button:not([hidden])").focus();
}

// --- Voice

const canRecord = () => Boolean(window.MediaRecorder && navigator.mediaDevices);

async function record() {
  notice("");
  let stream;
  $("mic").disabled = true;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    const denied = error.name === "NotAllowedError";
    const why = denied ? NO_MICROPHONE : "No encontramos un micrófono que sirva.";
    return notice(`${why} También puedes escribir o mandar un archivo de audio.`);
  } finally {
    $("mic").disabled = false;
  }
  const mimeType = TAPES.find((type) => MediaRecorder.isTypeSupported(type));
  const tape = new MediaRecorder(stream, { mimeType, audioBitsPerSecond: 24000 });
  const parts = [];
  const began = performance.now();
  let keep = false;
  const finish = (kept) => {
    keep = kept;
    if (tape.state !== "inactive") tape.stop();
  };
  const show = () => {
    const seconds = Math.floor((performance.now() - began) / 1000);
    $("clock").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  };
  const tick = setInterval(show, 250);
  show();
  tape.ondataavailable = (event) => parts.push(event.data);
  tape.onstop = () => {
    clearInterval(tick);
    stream.getTracks().forEach((track) => track.stop());
    recording(false);
    if (keep) sendVoice(new Blob(parts, { type: tape.mimeType }));
  };
  $("voice-cancel").onclick = () => finish(false);
  $("voice-send").onclick = () => finish(true);
  tape.start();
  recording(true);
}

function recording(on) {
  $("recorder").hidden = !on;
  $("composer").hidden = on;
  (on ? $("voice-send") : $("mic").hidden ? words : $("mic")).focus();
}

function sendVoice(file) {
  if (!file.size) return notice("La grabación salió vacía. Inténtalo otra vez.");
  if (file.size > FILE_LIMIT) return notice("El audio pesa más de 16 MB. Manda uno más corto.");
  const id = newId();
  send(id, { kind: "voice", text: "", local: URL.createObjectURL(file) }, () => {
    const form = new FormData();
    form.append("id", id);
    form.append("file", file);
    return post("/voice", form, VOICE_LIMIT);
  });
}

function pickedFile() {
  const [file] = $("audio").files;
  $("audio").value = "";
  if (file) sendVoice(file);
}

// --- Where one is

function shareLocation() {
  notice("Buscando tu ubicación…");
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => {
      notice("");
      const point = [coords.latitude, coords.longitude];
      say({ point }, { kind: "location", text: "", point });
    },
    ({ code }) => notice(`${PLACE[code]} También puedes escribir el nombre de tu municipio.`),
    { timeout: 15000, maximumAge: 60000 },
  );
}

// --- What is stored

let asked = 0; // the newest request: an older one is ignored

async function refreshStored() {
  const turn = ++asked;
  try {
    const kept = await ask("/stored");
    if (turn === asked) showStored(kept);
  } catch {
    // It stays as it was; the next answer asks again.
  }
}

function showStored({ language, form, progress, answers }) {
  $("stored-language").textContent = LANGUAGES[language] || "Sin elegir";
  $("stored-form").textContent = form || "Ninguno";
  $("stored-progress").textContent = progress || "Sin empezar";
  $("count").textContent = `· ${answers.length} respuesta${answers.length === 1 ? "" : "s"}`;
  $("none").hidden = answers.length > 0;
  $("answers").parentNode.hidden = !answers.length;
  $("answers").replaceChildren(...answers.map(storedRow));
}

function storedRow(answer) {
  const cell = (name, ...inside) => make("td", { className: name, role: "cell" }, ...inside);
  const sure = answer.confidence === null ? "" : ` ${Math.round(answer.confidence * 100)}\u00a0%`;
  const language = answer.language ? LANGUAGES[answer.language] + sure : "Sin decidir";
  const asked = [answer.label];
  if (answer.label !== answer.question) asked.push(make("code", {}, answer.question));
  const value = cell("value", String(answer.value));
  if (answer.aside) value.append(" ", make("small", {}, "(apartada: ya no viene al caso)"));
  const said = cell("said", answer.said || "");
  said.dir = "auto";
  return make("tr", { role: "row", className: answer.aside ? "aside" : "" },
    cell("question", ...asked),
    value,
    said,
    cell("language", language),
    cell("when", hour(answer.at)));
}

async function restart() {
  $("restart").disabled = true;
  try {
    await post("/restart", {});
    era += 1;
    [last, awaited] = [0, 0];
    views.clear();
    sent.clear();
    log.replaceChildren();
    showDots();
    notice("");
    wake();
    refreshStored();
    if (!wide.matches) $("stored").open = false;
    scroller.focus();
  } catch (error) {
    notice(error.words || "No se pudo empezar de nuevo. Inténtalo otra vez.");
  } finally {
    $("restart").disabled = false;
  }
}

// --- What the person does

function goBack({ key }) {
  if (key !== "Escape") return;
  if (!$("sheet").hidden) closeSheet();
  else if (!$("menu").hidden) { toggleMenu(false); $("attach").focus(); }
  else if (!$("recorder").hidden) $("voice-cancel").click();
}

function listen() {
  const clicks = {
    mic: record,
    start: () => { say({ text: "Hola" }, { kind: "text", text: "Hola" }); scroller.focus(); },
    attach: () => toggleMenu($("menu").hidden),
    file: () => { toggleMenu(false); $("audio").click(); },
    place: () => { toggleMenu(false); $("attach").focus(); shareLocation(); },
    "notice-close": () => { notice(""); $("attach").focus(); },
    "sheet-close": closeSheet,
    sheet: ({ target }) => target === $("sheet") && closeSheet(),
    newer: () => { atEnd = true; keepEnd(); },
    restart,
  };
  for (const [id, does] of Object.entries(clicks)) $(id).onclick = does;
  $("composer").onsubmit = submit;
  $("audio").onchange = pickedFile;
  words.oninput = fit;
  words.onkeydown = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  };
  document.onkeydown = goBack;
  document.onclick = ({ target }) => target.closest("#menu, #attach") || toggleMenu(false);
  document.onvisibilitychange = () => schedule(0);
  window.ononline = wake;
  scroller.onscroll = () => {
    atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 60;
    if (atEnd) $("newer").hidden = true;
  };
  new ResizeObserver(() => keepEnd()).observe(scroller);
  log.addEventListener("play", ({ target }) => { // one voice at a time; "play" does not bubble
    for (const other of log.querySelectorAll("audio")) if (other !== target) other.pause();
  }, true);
  for (const choice of document.querySelectorAll("[name=look]"))
    choice.onchange = () => dress(taste(choice.value));
}

function taste(chosen) {
  try {
    if (chosen) localStorage.look = chosen;
    return localStorage.look;
  } catch {
    return chosen; // private windows may refuse
  }
}

function begin() {
  $("stored").open = wide.matches;
  $("place").hidden = !(navigator.geolocation && window.isSecureContext);
  listen();
  if (taste() === "whatsapp") dress("whatsapp");
  fit();
  poll();
  if (wide.matches) words.focus(); // on a phone the keyboard would hide the greeting
}

begin();
