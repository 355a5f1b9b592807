// The result beside picture and driver, in step by construction: driver and result are two columns of one video, drawn
// on a canvas each. One clock, so nothing can drift.

const PLAY = '<svg viewBox="0 0 20 20" fill="currentColor" aria-hidden="true"><path d="M5 3v14l12-7z"/></svg>Play';
const PAUSE = '<svg viewBox="0 0 20 20" fill="currentColor" aria-hidden="true"><path d="M5 3h4v14H5zM11 3h4v14h-4z"/></svg>Pause';

export class Stage {
  constructor(root) {
    this.root = root;
    this.video = document.createElement("video");
    this.video.muted = true;
    this.video.loop = true;
    this.video.playsInline = true;
    this.times = [0];
    this.columns = null;
    this.wanted = null; // a seek that waits for the one under way
    this.slider = root.querySelector("input[type=range]");
    this.readout = root.querySelector("output");
    this.part = (name) => root.querySelector(`[data-do=${name}]`);
    const video = this.video;
    for (const kind of ["play", "pause", "ended"]) video.addEventListener(kind, () => this.label());
    video.addEventListener("loadeddata", () => this.draw());
    video.addEventListener("seeked", () => {
      this.draw();
      if (this.wanted !== null) this.seek(this.wanted);
    });
    this.follow();
    this.part("play").addEventListener("click", () => this.toggle());
    this.part("back").addEventListener("click", () => this.step(-1));
    this.part("on").addEventListener("click", () => this.step(1));
    this.part("loop").addEventListener("click", () => press(this.part("loop"), (video.loop = !video.loop)));
    this.part("sound").addEventListener("click", () => press(this.part("sound"), !(video.muted = !video.muted)));
    this.part("speed").addEventListener("change", (event) => (video.playbackRate = Number(event.target.value)));
    this.slider.addEventListener("input", () => {
      video.pause();
      this.seek(Number(this.slider.value));
    });
    root.addEventListener("keydown", (event) => this.key(event));
    this.label();
  }

  /** Shows a finished run. */
  show(run) {
    const { times, columns, notes } = run.made;
    this.times = times;
    this.columns = { video: columns[1], result: columns[2], height: run.made.beside[1] };
    // A small result beside a large picture only shows how small it is.
    this.root.querySelector(".views").classList.toggle("even", Math.max(run.made.width, run.made.height) < 300);
    this.root.querySelector(".of-result figcaption").textContent = `Result, ${run.made.width} × ${run.made.height}`;
    this.slider.max = times.length - 1;
    this.slider.value = 0;
    this.wanted = null;
    this.part("sound").hidden = !run.video.sound;
    const lines = notes.map((note) => Object.assign(document.createElement("li"), { textContent: note }));
    this.root.querySelector(".notes").replaceChildren(...lines);
    this.root.querySelector(".of-picture img").src = `/api/runs/${run.id}/picture.png`;
    for (const name of ["video", "result"]) {
      const canvas = this.canvas(name);
      canvas.width = this.columns[name][1];
      canvas.height = this.columns.height;
    }
    this.video.src = `/api/runs/${run.id}/beside.mp4`;
    this.video.playbackRate = this.video.defaultPlaybackRate = Number(this.part("speed").value);
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) this.play();
  }

  /** Shows nothing. */
  clear() {
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
    this.columns = null;
  }

  /** The frame that is shown: the last whose time has come. */
  index(time = this.video.currentTime) {
    let low = 0;
    let high = this.times.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.times[middle] <= time + 1e-4) low = middle;
      else high = middle;
    }
    return low;
  }

  toggle() {
    if (this.video.paused) this.play();
    else this.video.pause();
  }

  play() {
    this.video.play().catch(() => this.label()); // a browser that lets nothing play unasked
  }

  step(by) {
    this.video.pause();
    this.seek(Math.min(this.times.length - 1, Math.max(0, (this.wanted ?? this.index()) + by)));
  }

  seek(index) {
    if (this.video.seeking) {
      this.wanted = index;
      return;
    }
    this.wanted = null;
    // Into the middle of a frame, where no rounding of times can show its neighbour.
    const next = this.times[index + 1] ?? this.video.duration;
    this.video.currentTime = (this.times[index] + (next > this.times[index] ? next : this.times[index] + 0.02)) / 2;
  }

  draw(time) {
    if (this.columns === null || this.video.readyState < 2) return;
    for (const name of ["video", "result"]) {
      const [left, width] = this.columns[name];
      const canvas = this.canvas(name);
      canvas.getContext("2d").drawImage(this.video, left, 0, width, this.columns.height, 0, 0, width, this.columns.height);
    }
    const index = this.index(time);
    this.slider.value = index;
    this.slider.setAttribute("aria-valuetext", `frame ${index + 1} of ${this.times.length}`);
    this.readout.textContent = `frame ${index + 1} of ${this.times.length} · ${this.times[index].toFixed(2)} s`;
    this.root.dataset.frame = index;
  }

  follow() {
    if ("requestVideoFrameCallback" in this.video) {
      const shown = (_, frame) => {
        this.draw(frame.mediaTime);
        this.video.requestVideoFrameCallback(shown);
      };
      this.video.requestVideoFrameCallback(shown);
    } else {
      const shown = () => {
        if (!this.video.paused) this.draw();
        requestAnimationFrame(shown);
      };
      requestAnimationFrame(shown);
    }
  }

  key(event) {
    const at = event.target;
    if (event.altKey || event.ctrlKey || event.metaKey || at.matches("select")) return;
    if (event.key === " " && at === this.root) this.toggle();
    else if (event.key === "ArrowLeft" && at !== this.slider) this.step(-1);
    else if (event.key === "ArrowRight" && at !== this.slider) this.step(1);
    else return;
    event.preventDefault();
  }

  label() {
    this.part("play").innerHTML = this.video.paused ? PLAY : PAUSE;
  }

  canvas(name) {
    return this.root.querySelector(`.of-${name} canvas`);
  }
}

function press(button, on) {
  button.setAttribute("aria-pressed", String(on));
}
