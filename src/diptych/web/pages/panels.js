// The two panels: a picture and a video, dropped, chosen, or taken from an example.

import { Refused, ask, send } from "/pages/ask.js";

const TAKEN = { picture: "PNG, JPEG, WebP and more", video: "MP4, MOV, WebM, GIF and more" };

/** One panel. `chosen` is what the server knows of its file, or null; `changed` is called whenever that changes. */
export class Panel {
  constructor(root, limit, changed) {
    this.root = root;
    this.kind = root.dataset.kind;
    this.limit = limit;
    this.changed = changed;
    this.chosen = null;
    this.turn = 0;
    this.invite();
    const input = root.querySelector("input");
    const chosen = () => {
      if (input.files.length) this.take(input.files[0]);
      input.value = "";
    };
    input.addEventListener("change", chosen);
    queueMicrotask(chosen); // who was quicker than this script has chosen already
    root.addEventListener("dragover", (event) => {
      event.preventDefault();
      root.classList.add("over");
    });
    root.addEventListener("dragleave", (event) => {
      if (!root.contains(event.relatedTarget)) root.classList.remove("over");
    });
    root.addEventListener("drop", (event) => {
      event.preventDefault();
      root.classList.remove("over");
      if (event.dataTransfer.files.length) this.take(event.dataTransfer.files[0]);
    });
  }

  /** Uploads a file; a later choice overtakes an earlier one. */
  async take(file) {
    const turn = ++this.turn;
    this.clear();
    if (file.size > this.limit) {
      this.tell(`${file.name} is larger than ${mebibytes(this.limit)} MB, the most that a ${this.kind} may have here.`, true);
      return;
    }
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.setAttribute("aria-label", `Sending ${file.name}`);
    this.tell(`Sending ${file.name}`);
    this.about().append(bar);
    try {
      const seen = await send(`/api/uploads/${this.kind}`, file, (share) => {
        bar.value = share;
        if (share === 1 && turn === this.turn) this.tell(`Looking at ${file.name}`);
      });
      if (turn === this.turn) this.show(seen);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (turn === this.turn) this.tell(error.message, true);
    }
  }

  show(seen) {
    this.turn++;
    this.chosen = seen;
    const view = this.root.querySelector(".view");
    const at = `/api/uploads/${seen.id}/`;
    if (this.kind === "video") view.poster = `${at}view.png`;
    view.src = at + (this.kind === "video" ? "view.mp4" : "view.png");
    if (this.kind === "picture") view.alt = seen.name;
    view.hidden = false;
    this.root.querySelector(".ask").hidden = true;
    const name = document.createElement("span");
    name.className = "file";
    name.textContent = seen.name;
    name.title = seen.name;
    const facts = document.createElement("span");
    facts.className = "facts";
    facts.textContent = factsOf(seen);
    const other = document.createElement("span");
    other.className = "other";
    other.textContent = "Change";
    other.setAttribute("aria-hidden", "true");
    const what = document.createElement("span");
    what.className = "what";
    what.append(name, facts);
    this.about().replaceChildren(what, other);
    this.changed();
  }

  clear() {
    this.chosen = null;
    const view = this.root.querySelector(".view");
    view.hidden = true;
    view.removeAttribute("src");
    this.root.querySelector(".ask").hidden = false;
    this.invite();
    this.changed();
  }

  invite() {
    this.tell(`${TAKEN[this.kind]}, up to ${mebibytes(this.limit)} MB`);
  }

  tell(sentence, bad = false) {
    const what = document.createElement("span");
    what.className = bad ? "what bad" : "what facts";
    what.textContent = sentence;
    this.about().replaceChildren(what);
  }

  about() {
    return this.root.querySelector(".about");
  }
}

/** Fills both panels from an example. */
export async function takeExample(name, picture, video) {
  for (const panel of [picture, video]) {
    panel.turn++;
    panel.clear();
    panel.tell("Fetching the example");
  }
  try {
    const taken = await ask("POST", `/api/examples/${name}`);
    picture.show(taken.picture);
    video.show(taken.video);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    for (const panel of [picture, video]) panel.tell(error.message, true);
  }
}

function mebibytes(bytes) {
  return Math.floor(bytes / 1048576);
}

function factsOf(seen) {
  const facts = [`${seen.width} × ${seen.height}`];
  if (seen.seconds) facts.push(`${Number(seen.seconds.toFixed(1))} s`);
  if (seen.fps) facts.push(`${Number(seen.fps.toFixed(2))} a second`);
  return facts.join(" · ");
}
