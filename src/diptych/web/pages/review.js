// A reviewer's page: shows a pair, takes the answer, goes on. What it shows of a manifest goes through textContent only.

import { Film, Player, draw } from "./player.js";

const HERE = location.pathname.replace(/\/$/, "");
const REASON_KEYS = { motion: "qwert", character: "asdfg", picture: "zxcv" };
const SPEEDS = [0.25, 0.5, 1];

const at = (id) => document.getElementById(id);
const player = new Player([at("source"), at("result")], showFrame);

let state = null; // as the server told it last
let said = blank();
let coming = null; // films of the pair that may come next, fetched while this one is looked at
let seconds = 0; // for which this pair was looked at
let busy = false;

function blank() {
  return { motion: null, character: null, reasons: new Set() };
}

// --- the server ---------------------------------------------------------------------------------------------------------

/** Asks the server until it answers; what is sent twice counts once there. */
async function ask(path, body) {
  const settings = body && {
    method: "POST",
    headers: { "content-type": "application/json", "x-diptych": "1" },
    body: JSON.stringify(body),
  };
  for (let wait = 500; ; wait = Math.min(2 * wait, 8000)) {
    try {
      const answer = await fetch(`${HERE}/${path}`, settings);
      if (answer.status < 500) {
        notify("");
        const told = await answer.json();
        if (!answer.ok) throw Object.assign(new Error(told.detail), { status: answer.status });
        return told;
      }
    } catch (error) {
      if (error.status) throw error;
    }
    notify("The server does not answer. Your answer is kept here and sent again …");
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

/** One thing at a time, whatever is pressed meanwhile. */
async function exclusively(work) {
  if (busy) return;
  busy = true;
  try {
    await work();
  } catch (error) {
    if (error.status === 409) await refresh();
    notify(String(error.message));
  } finally {
    busy = false;
  }
}

const refresh = async () => enter(await ask("turn"));

const send = () =>
  exclusively(async () => {
    if (!state?.turn || said.motion === null || said.character === null) return;
    enter(await ask("verdicts", verdict(said)));
  });

const skip = () =>
  exclusively(async () => {
    if (!state?.turn) return;
    enter(await ask("verdicts", verdict({ ...said, motion: null, character: null })));
  });

const undo = () =>
  exclusively(async () => {
    if (!state || state.last === null) return;
    const back = await ask("undo", { number: state.last });
    enter(back);
    if (!back.answer) return;
    said = { ...back.answer, reasons: new Set(back.answer.reasons) };
    showAnswer();
    notify("Your last answer is taken back. Change it and go on.");
  });

const verdict = ({ motion, character, reasons }) => ({
  ticket: state.turn.ticket,
  motion,
  character,
  reasons: [...reasons],
  seconds: Math.min(seconds, 86400),
});

// --- a pair ---------------------------------------------------------------------------------------------------------

/** Shows what the server told: the next pair, or that there is none. */
function enter(told) {
  const same = state?.turn && told.turn && state.turn.ticket === told.turn.ticket;
  state = told;
  showProgress();
  at("work").hidden = !told.turn;
  at("rest").hidden = Boolean(told.turn);
  at("undo").disabled = at("rest-undo").disabled = told.last === null;
  if (same) return;
  [said, seconds] = [blank(), 0];
  if (told.turn) open(told.turn);
  else rest();
}

function open(turn) {
  for (const role of ["source", "result", "reference"]) {
    at(`file-${role}`).href = `${HERE}/media?${new URLSearchParams({ pair: turn.pair, role })}`;
  }
  at("prompt").textContent = turn.prompt;
  showAnswer();
  const films = coming?.content === turn.content ? coming.films : filmsOf(turn);
  if (coming && coming.films !== films) coming.films.forEach((film) => film.close());
  coming = null;
  const [source, result, reference] = films;
  player.open([source, result], turn.fps, turn.frames);
  showReference(reference, turn);
  Promise.all(films.map((film) => film.loaded)).then(() => prepare(turn), (error) => fail(turn, error));
}

/** The smallest frames that a panel shows in full sharpness: more pixels would only take time and memory. */
function sideOf(canvas) {
  const seen = Math.max(canvas.clientWidth, canvas.clientHeight) * devicePixelRatio;
  return state.sides.find((side) => side >= seen) ?? state.sides.at(-1);
}

function filmsOf({ pair, content }) {
  return ["source", "result", "reference"].map((role) => {
    const side = sideOf(at(role));
    const address = (part) => `${HERE}/frames?${new URLSearchParams({ pair, role, part, side, content })}`;
    const film = new Film(address, state.part);
    film.loaded = film.load();
    film.loaded.catch(() => {}); // whoever opens the films asks again
    return film;
  });
}

async function showReference(film, turn) {
  await film.loaded.catch(() => {});
  if (state.turn !== turn || !film.files.length) return;
  const picture = await createImageBitmap(film.files[0]);
  draw(at("reference"), picture);
  picture.close();
}

/** Fetches what may come next. */
async function prepare(turn) {
  if (state.turn !== turn || coming) return;
  const next = await fetch(`${HERE}/after`).then((answer) => answer.json(), () => ({}));
  if (state.turn === turn && next.pair && !coming) coming = { ...next, films: filmsOf(next) };
}

/** A pair whose files cannot be shown is passed over by the server, now that it knows. */
async function fail(turn, error) {
  if (error.name === "AbortError" || state.turn !== turn) return;
  await exclusively(refresh);
  notify(state.turn === turn ? `Frames could not be loaded: ${error.message}` : `A pair was passed over: ${error.message}`);
}

function rest() {
  player.close();
  const { mine, done, total } = state.progress;
  at("rest-title").textContent = done >= total ? "All pairs are done" : "Nothing left for you now";
  at("rest-text").textContent = `You answered ${mine}. ${done} of ${total} pairs have all their verdicts.`;
}

// --- what is shown --------------------------------------------------------------------------------------------------

function showProgress() {
  const { mine, left, done, total } = state.progress;
  at("bar").style.width = `${(100 * mine) / Math.max(1, mine + left)}%`;
  at("progress").setAttribute("aria-label", `${mine} answered, ${left} left for you`);
  at("mine").textContent = `${mine} / ${mine + left}`;
  at("all").textContent = `· everyone ${done} / ${total}`;
  at("who").textContent = state.kind === "human" ? state.reviewer : `${state.reviewer} (${state.kind})`;
}

function showFrame() {
  const { shown, count, waiting } = player;
  at("scrub").max = count - 1;
  at("scrub").value = Math.max(0, shown);
  at("frame").textContent = `${Math.max(0, shown) + 1} / ${count}`;
  at("waiting").hidden = !waiting;
  showControls();
}

let controls = "";

function showControls() {
  const { playing, speed, loop } = player;
  const now = `${playing} ${speed} ${loop}`;
  if (now === controls) return; // as it is at almost every frame
  controls = now;
  at("play").textContent = playing ? "❚❚" : "▶";
  at("play").setAttribute("aria-label", playing ? "Pause" : "Play");
  at("loop").setAttribute("aria-pressed", loop);
  for (const button of document.querySelectorAll("[data-speed]")) {
    button.setAttribute("aria-pressed", Number(button.dataset.speed) === speed);
  }
}

function showAnswer() {
  for (const question of ["motion", "character"]) {
    for (const button of at(question).querySelectorAll("[data-answer]")) {
      button.setAttribute("aria-pressed", said[question] === (button.dataset.answer === "yes"));
    }
    document.querySelector(`[data-about="${question}"]`).classList.toggle("open", said[question] === false);
  }
  for (const button of document.querySelectorAll("[data-reason]")) {
    button.setAttribute("aria-pressed", said.reasons.has(button.dataset.reason));
  }
  at("send").disabled = said.motion === null || said.character === null;
}

function showReasons() {
  for (const group of document.querySelectorAll(".reasons")) {
    const own = state.reasons.filter(({ about }) => about === group.dataset.about);
    group.replaceChildren(...own.map(({ name, label }, index) => reasonButton(name, label, REASON_KEYS[group.dataset.about][index])));
  }
}

function reasonButton(name, label, key) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", textContent: `${label} ` });
  Object.assign(button.dataset, { reason: name, key });
  const written = document.createElement("kbd");
  written.textContent = key;
  button.append(written);
  button.addEventListener("click", () => toggle(name));
  return button;
}

let silence;

function notify(text) {
  clearTimeout(silence);
  at("notice").textContent = text;
  at("notice").hidden = !text;
  silence = setTimeout(() => (at("notice").hidden = true), 6000);
}

// --- what is pressed ------------------------------------------------------------------------------------------------

function answer(question, yes) {
  said[question] = said[question] === yes ? null : yes;
  if (said[question] !== false) {
    // A reason for a no that is none any more would be a contradiction.
    for (const { name, about } of state.reasons) if (about === question) said.reasons.delete(name);
  }
  showAnswer();
}

function toggle(name) {
  const { about } = state.reasons.find((reason) => reason.name === name);
  if (!said.reasons.delete(name)) said.reasons.add(name);
  if (about !== "picture" && said.reasons.has(name)) said[about] = false;
  showAnswer();
}

function setSpeed(speed) {
  player.speed = speed;
  showControls();
}

function setLoop() {
  player.loop = !player.loop;
  showControls();
}

const faster = (by) => setSpeed(SPEEDS[Math.min(2, Math.max(0, SPEEDS.indexOf(player.speed) + by))]);

const KEYS = {
  1: () => answer("motion", true),
  2: () => answer("motion", false),
  3: () => answer("character", true),
  4: () => answer("character", false),
  0: skip,
  Enter: send,
  u: undo,
  " ": () => player.play(!player.playing),
  ArrowLeft: () => player.step(-1),
  ArrowRight: () => player.step(1),
  Home: () => player.step(-player.wanted),
  End: () => player.step(player.count - 1 - player.wanted),
  "-": () => faster(-1),
  "+": () => faster(1),
  "=": () => faster(1),
  l: setLoop,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "?") {
    event.preventDefault();
    return at("help").open ? at("help").close() : at("help").showModal();
  }
  // Who walks the page by Tab presses its buttons by Enter and space.
  const walked = event.target.closest("button, a") && (event.key === "Enter" || event.key === " ");
  if (at("help").open || walked || !state) return;
  if (!state.turn) return event.key === "u" ? undo() : undefined;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const digit = /^Digit([0-4])$/.exec(event.code)?.[1]; // also where digits need the shift key
  const reason = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  const pressed = KEYS[key] ?? KEYS[digit] ?? (reason && (() => toggle(reason.dataset.reason)));
  if (!pressed) return;
  event.preventDefault();
  // A key that is held steps on, but never answers twice.
  if (!event.repeat || key.startsWith("Arrow")) pressed();
});

// A button that was clicked gives the keyboard back.
document.addEventListener("click", (event) => event.detail > 0 && event.target.closest("button")?.blur());

for (const question of ["motion", "character"]) {
  for (const button of at(question).querySelectorAll("[data-answer]")) {
    button.addEventListener("click", () => answer(question, button.dataset.answer === "yes"));
  }
}
for (const button of document.querySelectorAll("[data-speed]")) {
  button.addEventListener("click", () => setSpeed(Number(button.dataset.speed)));
}
const clicks = {
  send,
  skip,
  undo,
  "rest-undo": undo,
  again: () => exclusively(refresh),
  play: KEYS[" "],
  back: KEYS.ArrowLeft,
  forth: KEYS.ArrowRight,
  loop: setLoop,
  "help-button": () => at("help").showModal(),
};
for (const [id, act] of Object.entries(clicks)) at(id).addEventListener("click", act);
at("scrub").addEventListener("input", () => {
  player.seek(Number(at("scrub").value));
  player.play(false);
});

// Looking counts while the page is in front and the pair can be seen.
setInterval(() => {
  if (!document.hidden && state?.turn && player.shown >= 0) seconds += 0.25;
}, 250);

await exclusively(async () => {
  const told = await ask("turn");
  state = told;
  showReasons();
  state = null;
  enter(told);
});
