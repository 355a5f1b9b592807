// Videos in step, frame by frame. One clock chooses the frame; it is drawn on all canvases in the same turn of the
// browser, and only once every video has it. Nothing is ever a frame ahead of the other.

const AHEAD = 8; // frames decoded before they are due
const BUDGET = 160e6; // bytes of decoded frames held for one video; compressed ones are all held

/** The frames of one video, fetched in parts and decoded when they are due. */
export class Film {
  /**
   * @param {(part: number) => string} address of a part
   * @param {number} size frames of a part; one with fewer is the last
   */
  constructor(address, size) {
    this.address = address;
    this.size = size;
    this.files = [];
    this.ended = false;
    this.decoded = new Map();
    this.pending = new Set();
    this.stop = new AbortController();
  }

  /** Fetches every part, in order. Rejects with the server's sentence where one cannot be had. */
  async load(onPart = () => {}) {
    for (let part = Math.floor(this.files.length / this.size); !this.ended; part++) {
      const answer = await fetch(this.address(part), { signal: this.stop.signal });
      if (!answer.ok) throw new Error((await answer.json()).detail);
      const fresh = unpacked(await answer.arrayBuffer());
      this.files.push(...fresh);
      this.ended = fresh.length < this.size;
      onPart();
    }
  }

  /** The picture of a frame if it is decoded; otherwise decoding begins. */
  picture(index) {
    const found = this.decoded.get(index);
    if (!found && index < this.files.length && !this.pending.has(index)) this.decode(index);
    return found;
  }

  async decode(index) {
    this.pending.add(index);
    try {
      const picture = await createImageBitmap(this.files[index]);
      if (this.stop.signal.aborted) return picture.close();
      this.decoded.set(index, picture);
      const most = Math.max(3 * AHEAD, Math.floor(BUDGET / (4 * picture.width * picture.height)));
      while (this.decoded.size > most) {
        const [oldest, old] = this.decoded.entries().next().value;
        this.decoded.delete(oldest);
        old.close();
      }
    } finally {
      this.pending.delete(index);
    }
  }

  /** Gives everything back; nothing more is fetched. */
  close() {
    this.stop.abort();
    for (const picture of this.decoded.values()) picture.close();
    this.decoded.clear();
  }
}

/** Frames as the server packs them: four bytes of length, the highest first, and a JPEG file. */
function unpacked(buffer) {
  const view = new DataView(buffer);
  const files = [];
  for (let at = 0; at < buffer.byteLength; ) {
    const length = view.getUint32(at);
    files.push(new Blob([buffer.slice(at + 4, at + 4 + length)], { type: "image/jpeg" }));
    at += 4 + length;
  }
  return files;
}

/** Plays films in step on canvases. */
export class Player {
  /**
   * @param {HTMLCanvasElement[]} canvases one a film
   * @param {() => void} onShow called after every change of what is shown
   */
  constructor(canvases, onShow) {
    this.canvases = canvases;
    this.onShow = onShow;
    this.films = [];
    this.speed = 1;
    this.loop = true;
    this.close();
    requestAnimationFrame((now) => this.tick(now));
  }

  /** Shows films from their first frame on, playing. Which frames there are shows as they arrive. */
  open(films, fps, frames) {
    this.close();
    Object.assign(this, { films, fps, declared: frames, playing: true });
  }

  close() {
    for (const film of this.films) film.close();
    Object.assign(this, { films: [], fps: 1, declared: 0, playing: false, shown: -1, wanted: 0, clock: 0 });
  }

  /** Frames that all films have; as declared until their ends are known. */
  get count() {
    const ends = this.films.filter((film) => film.ended).map((film) => film.files.length);
    return Math.max(1, Math.min(this.declared || 1, ...ends));
  }

  get waiting() {
    return this.films.length > 0 && this.shown !== this.wanted;
  }

  play(on) {
    if (on && !this.loop && this.wanted >= this.count - 1) this.seek(0);
    this.playing = on;
    this.onShow();
  }

  /** Goes to a frame; it is shown as soon as every film has it. */
  seek(index) {
    this.wanted = Math.min(Math.max(0, index), this.count - 1);
    this.clock = this.wanted;
  }

  /** Pauses and goes some frames on, or back, around the ends. */
  step(by) {
    this.playing = false;
    this.seek((this.wanted + by + this.count) % this.count);
    this.onShow();
  }

  tick(now) {
    const passed = Math.min((now - (this.last ?? now)) / 1000, 0.25);
    this.last = now;
    if (this.playing || this.waiting) {
      // The clock stands while a frame is awaited, so none is skipped for being late.
      if (this.playing && this.shown === this.wanted) this.advance(passed * this.fps * this.speed);
      this.show();
    }
    requestAnimationFrame((next) => this.tick(next));
  }

  advance(frames) {
    // On a slow machine frames come late rather than not at all: jumps would look like faults of the video.
    this.clock += Math.min(frames, Math.max(1, (this.fps * this.speed) / 60));
    if (this.clock >= this.count) {
      if (this.loop) this.clock %= this.count;
      else return this.play(false);
    }
    this.wanted = Math.floor(this.clock);
  }

  show() {
    if (this.wanted >= this.count) this.seek(this.count - 1);
    const pictures = this.films.map((film) => film.picture(this.wanted));
    for (let ahead = 1; ahead <= AHEAD; ahead++) {
      for (const film of this.films) film.picture((this.wanted + ahead) % this.count);
    }
    if (this.shown === this.wanted || pictures.some((picture) => !picture)) return;
    pictures.forEach((picture, film) => draw(this.canvases[film], picture));
    this.shown = this.wanted;
    this.onShow();
  }
}

/** Draws a picture pixel for pixel; the page's style sizes the canvas. */
export function draw(canvas, picture) {
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
  }
  canvas.getContext("2d").drawImage(picture, 0, 0);
}
