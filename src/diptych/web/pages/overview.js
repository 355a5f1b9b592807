// The overview: counts by kind of reviewer, which are never added up; agreement; what was found wrong.

const HERE = location.pathname.replace(/\/$/, "");
const KINDS = { human: "People", scripted: "Scripts (not people)", truth: "Known truth (not people)" };

const at = (id) => document.getElementById(id);
const part = (whole, count) => (whole ? `${Math.round((100 * count) / whole)} %` : "–");
const rounded = (kappa) => (kappa === null ? "–" : kappa.toFixed(2));

function made(tag, text = "", settings = {}) {
  return Object.assign(document.createElement(tag), { textContent: text }, settings);
}

function row(tag, cells) {
  const line = made("tr");
  line.append(...cells.map((cell) => (cell instanceof Node ? cell : made(tag, String(cell)))));
  return line;
}

/** Fills a table; its first row are headings. */
function fill(table, head, rows, empty) {
  const top = made("thead");
  top.append(row("th", head));
  const body = made("tbody");
  const none = () => row("td", [made("td", empty, { colSpan: head.length })]);
  body.append(...(rows.length ? rows.map((cells) => row("td", cells)) : [none()]));
  at(table).replaceChildren(top, body);
}

function figure(number, what) {
  const box = made("div");
  box.append(made("b", String(number)), made("span", what));
  return box;
}

function showKinds({ kinds, pairs, wanted }) {
  const shown = Object.entries(kinds).map(([kind, found]) => {
    const figures = made("div", "", { className: "figures" });
    figures.append(
      figure(`${found.pairs} / ${pairs}`, "pairs with a verdict"),
      figure(found.kept, "kept"),
      figure(found.pairs - found.kept, "not kept"),
      figure(found.verdicts, `verdicts, ${wanted} wanted a pair`),
      figure(found.skips, "could not tell"),
    );
    const whole = made("section");
    whole.append(made("h2", KINDS[kind]), figures);
    return whole;
  });
  at("kinds").replaceChildren(...shown);
}

function showReviewers({ reviewers, links }) {
  const rows = reviewers.map((who) => {
    const link = made("td");
    if (links[who.name]) link.append(made("a", "page", { href: `..${links[who.name]}` }));
    const looked = who.seconds === null ? "–" : `${who.seconds.toFixed(1)} s`;
    const { verdicts, motion, character } = who;
    return [who.name, who.kind, verdicts, who.skips, part(verdicts, motion), part(verdicts, character), looked, link];
  });
  const head = ["Name", "Kind", "Verdicts", "Could not tell", "Motion yes", "Character yes", "Looked (median)", "Link"];
  fill("reviewers", head, rows, "Nobody yet");
}

function showAgreement({ kinds }) {
  const rows = Object.entries(kinds).flatMap(([kind, { agreement }]) => {
    const { motion, character } = agreement;
    const twos = motion.between.map((two, index) => {
      const other = character.between[index];
      const equal = [`${two.same} / ${two.both}`, `${other.same} / ${other.both}`];
      return [`${two.first} and ${two.second}`, kind, equal[0], rounded(two.kappa), equal[1], rounded(other.kappa)];
    });
    const mean = ["Mean", kind, "", rounded(motion.kappa), "", rounded(character.kappa)];
    return twos.length > 1 ? [...twos, mean] : twos;
  });
  const head = ["Reviewers", "Kind", "Motion: equal", "kappa", "Character: equal", "kappa"];
  fill("agreement", head, rows, "No two reviewers have seen the same pair yet");
}

function showReasons({ kinds, labels }) {
  const rows = Object.entries(kinds).flatMap(([kind, { reasons }]) =>
    Object.entries(reasons).map(([name, count]) => [labels[name] ?? name, kind, count]),
  );
  fill("reasons", ["Reason", "Kind", "Times"], rows, "Nothing yet");
}

function showDamaged({ damaged }) {
  at("damaged").hidden = !damaged.count;
  const more = damaged.count - damaged.first.length;
  const lines = [...damaged.first, ...(more > 0 ? [`and ${more} more`] : [])];
  at("damaged-list").replaceChildren(...lines.map((line) => made("li", line)));
}

async function refresh() {
  try {
    const answer = await fetch(`${HERE}/figures`);
    if (!answer.ok) throw new Error(answer.statusText);
    const found = await answer.json();
    for (const show of [showKinds, showReviewers, showAgreement, showReasons, showDamaged]) show(found);
    at("state").textContent = `as of ${new Date().toLocaleTimeString()}`;
  } catch {
    at("state").textContent = "the server does not answer";
  }
  setTimeout(refresh, 10_000);
}

at("export").href = `${HERE}/verdicts.jsonl`;
await refresh();
