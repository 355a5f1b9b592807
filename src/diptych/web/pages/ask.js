// Requests to the server. Whatever changes something carries a header that no other page can send.

export class Refused extends Error {}

const CHANGES = { "x-diptych": "1" };

/** Asks for JSON. Throws Refused with the server's sentence, or with one about the server that does not answer. */
export async function ask(method, path, body) {
  const settings = { method, headers: method === "GET" ? {} : { ...CHANGES } };
  if (body !== undefined) {
    settings.headers["content-type"] = "application/json";
    settings.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, settings);
  } catch {
    throw new Refused("The server does not answer.");
  }
  return read(answer.ok, await answer.text());
}

/** Sends a file and tells how much of it is sent, 0..1. */
export function send(path, file, told) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries(CHANGES)) request.setRequestHeader(name, value);
    request.setRequestHeader("x-file-name", encodeURIComponent(file.name));
    request.setRequestHeader("content-type", "application/octet-stream");
    request.upload.onprogress = (event) => event.lengthComputable && told(event.loaded / event.total);
    request.onerror = () => reject(new Refused(`${file.name} could not be sent; the server ended the transfer.`));
    request.onload = () => {
      try {
        resolve(read(request.status < 300, request.responseText));
      } catch (error) {
        reject(error);
      }
    };
    request.send(file);
  });
}

function read(ok, text) {
  let answer = null;
  try {
    answer = JSON.parse(text);
  } catch {
    /* a sentence in plain text, as the door has it */
  }
  if (!ok || answer === null) throw new Refused(answer?.said || (text.length < 300 && text) || "The server failed.");
  return answer;
}
