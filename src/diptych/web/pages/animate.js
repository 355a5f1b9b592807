// Animate: what is asked for goes to the server, which keeps everything. This page only shows how things stand there,
// so it may be reloaded, closed or opened twice at any moment.

import { Refused, ask } from "/pages/ask.js";
import { Panel, takeExample } from "/pages/panels.js";
import { Stage } from "/pages/stage.js";

const OFTEN_MS = 500;
const SELDOM_MS = 5000;
const SURE_MS = 4000;

const find = (id) => document.getElementById(id);
const form = find("wish");
const stage = new Stage(find("stage"));
const house = await ask("GET", "/api/house");
const panels = Object.fromEntries(
  [...document.querySelectorAll(".panel")].map((root) => [
    root.dataset.kind,
    new Panel(root, house.limits[root.dataset.kind], ready),
  ]),
);

let runs = [];
let shown = { id: null, state: null }; // what the open section shows
let timer = null;
let lost = false;

// --- asking for a run

function prepare() {
  find("model").textContent = `Model: ${house.model}`;
  find("modest").hidden = house.model !== "mini";
  find("side").textContent = `${house.side} × ${house.side}`;
  form.steps.placeholder = house.steps;
  find("motion").hidden = !house.poses;
  for (const name of house.examples) {
    const button = document.createElement("button");
    button.type = "button";
    button.title = `Example: ${name}`;
    const picture = Object.assign(new Image(), { src: `/api/examples/${name}.png`, alt: `Example: ${name}` });
    button.append(picture);
    button.addEventListener("click", () => takeExample(name, panels.picture, panels.video));
    const item = document.createElement("li");
    item.append(button);
    find("examples").append(item);
  }
  // A file that misses a panel must not replace the page.
  for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());
  form.addEventListener("input", options);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    begin();
  });
  ready();
}

function ready() {
  const missing = Object.values(panels).filter((panel) => panel.chosen === null);
  find("run").disabled = missing.length > 0;
  if (missing.length === 2) say("");
  else if (missing.length === 1) say(`Now choose a ${missing[0].kind}.`);
  else say("");
}

function wanted() {
  const asked = {};
  for (const field of form.elements) {
    if (!field.name || (field.type === "checkbox" && !field.checked) || !field.value.trim()) continue;
    asked[field.name] = field.type === "number" ? Number(field.value) : field.value.trim();
  }
  return asked;
}

function options() {
  const count = Object.keys(wanted()).length;
  find("changed").textContent = count ? `${count} changed` : "";
}

async function begin() {
  find("run").disabled = true;
  try {
    const asked = { picture: panels.picture.chosen.id, video: panels.video.chosen.id, wanted: wanted() };
    const run = await ask("POST", "/api/runs", asked);
    say("");
    await open(run.id, true);
  } catch (error) {
    say(sentence(error), true);
  }
  find("run").disabled = panels.picture.chosen === null || panels.video.chosen === null;
}

function say(text, bad = false) {
  find("said").textContent = text;
  find("said").className = bad ? "bad" : "soft";
}

function sentence(error) {
  if (error instanceof Refused) return error.message;
  throw error;
}

// --- following runs

async function refresh() {
  clearTimeout(timer);
  try {
    runs = await ask("GET", "/api/runs");
    if (lost) say("");
    lost = false;
  } catch (error) {
    say(`${sentence(error)} Trying again.`, true);
    lost = true;
  }
  await render();
  const busy = lost || runs.some((run) => run.state === "waiting" || run.state === "running");
  timer = setTimeout(refresh, busy ? OFTEN_MS : SELDOM_MS);
}

async function open(id, look = false) {
  history.replaceState(null, "", id === null ? location.pathname : `#${id}`);
  await refresh();
  if (look && id !== null) {
    find("open").scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    find("open-title").focus({ preventScroll: true });
  }
}

async function act(method, path) {
  try {
    await ask(method, path);
    say("");
  } catch (error) {
    say(sentence(error), true);
  }
  await refresh();
}

async function render() {
  list();
  const run = runs.find((other) => other.id === location.hash.slice(1));
  find("open").hidden = run === undefined;
  if (run === undefined) {
    if (shown.state === "done") stage.clear();
    shown = { id: null, state: null };
    return;
  }
  find("open-title").textContent = TITLES[run.state];
  find("open-what").textContent = `${run.picture.name} performs ${run.video.name}`;
  way(run);
  const at = `/api/runs/${run.id}`;
  find("cancel").hidden = run.state !== "waiting" && run.state !== "running";
  find("cancel").disabled = Boolean(run.progress.stopping);
  find("cancel").onclick = () => act("POST", `${at}/stop`);
  find("go-on").hidden = !RESUMABLE.includes(run.state);
  find("go-on").onclick = () => act("POST", `${at}/go-on`);
  for (const [id, role] of [["save", "result.mp4"], ["save-run", "run.json"]]) {
    find(id).hidden = run.state !== "done";
    find(id).href = `${at}/${role}?save=true`;
  }
  if (shown.id === run.id && shown.state === run.state) return;
  if (shown.state === "done") stage.clear();
  shown = { id: run.id, state: run.state };
  find("stage").hidden = run.state !== "done";
  if (run.state === "done") stage.show(await ask("GET", at));
}

const TITLES = {
  waiting: "In the queue",
  running: "Under way",
  stopped: "Cancelled",
  interrupted: "Interrupted",
  failed: "This did not work",
  done: "Done",
};
const RESUMABLE = ["stopped", "interrupted", "failed"];

function way(run) {
  find("way").hidden = run.state === "done";
  const { done, total, share, left, label, unit, stopping } = run.progress;
  const bar = find("bar");
  bar.hidden = run.state === "failed" && !total;
  const part = run.state === "running" ? share : total ? done / total : 0;
  if (part === null || part === undefined) bar.removeAttribute("value");
  else bar.value = Math.min(1, part);
  let far = "";
  let rest = "";
  if (run.state === "waiting") {
    far = run.before ? `${run.before} ${run.before === 1 ? "run is" : "runs are"} before this one.` : "It is next.";
  } else if (stopping) {
    far = "Stopping; finished windows are kept.";
  } else if (run.state === "running") {
    const doing = label === "animate" || !label ? "" : `Finding ${label}: `;
    far = total ? `${doing}${Math.min(total, Math.floor(done))} of ${total} ${unit}` : "Reading picture and video";
    rest = left === null || left === undefined ? "" : `${duration(left)} left`;
  } else {
    far = [run.said, kept(run)].filter(Boolean).join(" ");
    rest = total ? `${done} of ${total} frames` : "";
  }
  if (find("far").textContent !== far) find("far").textContent = far;
  find("left").textContent = rest;
}

function kept(run) {
  if (!run.kept) return "";
  return run.kept === 1 ? "One finished window is kept." : `${run.kept} finished windows are kept.`;
}

function duration(seconds) {
  if (seconds < 1) return "less than a second";
  if (seconds < 90) return `about ${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min`;
  return `about ${(seconds / 3600).toFixed(1)} h`;
}

// --- all runs

const items = new Map(); // by run, so that a refresh does not take the focus away

function list() {
  find("earlier").hidden = runs.length === 0;
  for (const [id, item] of items) {
    if (runs.some((run) => run.id === id)) continue;
    item.remove();
    items.delete(id);
  }
  runs.forEach((run, place) => {
    if (!items.has(run.id)) items.set(run.id, itemOf(run));
    const item = items.get(run.id);
    if (find("runs").children[place] !== item) find("runs").insertBefore(item, find("runs").children[place] ?? null);
    if (run.id === location.hash.slice(1)) item.setAttribute("aria-current", "true");
    else item.removeAttribute("aria-current");
    const state = item.querySelector(".state");
    state.className = `state ${run.state}`;
    state.textContent = `${stateOf(run)} · ${when(run.at)}`;
    item.querySelector(".remove").hidden = run.state === "waiting" || run.state === "running";
  });
}

function itemOf(run) {
  const item = document.createElement("li");
  const look = document.createElement("button");
  look.className = "look";
  const pair = document.createElement("span");
  pair.className = "pair";
  for (const role of ["picture.png", "video.png"]) {
    pair.append(Object.assign(new Image(), { src: `/api/runs/${run.id}/${role}`, alt: "" }));
  }
  const words = document.createElement("span");
  words.className = "words";
  const name = document.createElement("b");
  name.textContent = `${run.picture.name} performs ${run.video.name}`;
  const state = document.createElement("span");
  words.append(name, state);
  state.className = "state";
  look.append(pair, words);
  look.addEventListener("click", () => open(run.id, true));
  const remove = document.createElement("button");
  remove.className = "plain remove";
  remove.textContent = "Delete";
  remove.setAttribute("aria-label", `Delete ${name.textContent}`);
  let sure = null;
  remove.addEventListener("click", () => {
    if (sure === null) {
      remove.textContent = "Really?";
      sure = setTimeout(() => {
        remove.textContent = "Delete";
        sure = null;
      }, SURE_MS);
      return;
    }
    clearTimeout(sure);
    if (location.hash.slice(1) === run.id) history.replaceState(null, "", location.pathname);
    act("DELETE", `/api/runs/${run.id}`);
  });
  item.append(look, remove);
  return item;
}

function stateOf(run) {
  if (run.state === "done") return `${run.frames} ${run.frames === 1 ? "frame" : "frames"}`;
  if (run.state === "running" && run.progress.share) return `Under way, ${Math.floor(100 * Math.min(1, run.progress.share))} %`;
  return TITLES[run.state];
}

function when(at) {
  const date = new Date(at * 1000);
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return date.toDateString() === new Date().toDateString() ? `today, ${time}` : `${date.toLocaleDateString()}, ${time}`;
}

// --- begin

prepare();
addEventListener("hashchange", refresh);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
await refresh();
if (!location.hash) {
  const going = runs.find((run) => run.state === "running" || run.state === "waiting");
  if (going) await open(going.id);
}
