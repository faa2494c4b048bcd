// What the node says: answers in JSON, and its server-sent events. The token, where one is needed, comes
// with the page's address behind a #, which browsers keep to themselves, and stays in this tab.

const STORE = 'hamlet-token';

/** The token that this tab was opened with, if any. */
export function token() {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given) {
    sessionStorage.setItem(STORE, given);
    history.replaceState(null, '', location.pathname + location.search);
  }
  return sessionStorage.getItem(STORE);
}

export function keepToken(text) {
  sessionStorage.setItem(STORE, text.trim());
}

/** A URL for elements that cannot send a header: the token goes along in it. */
export function withToken(url) {
  const own = token();
  return own ? url + (url.includes('?') ? '&' : '?') + 'token=' + encodeURIComponent(own) : url;
}

function headers() {
  const own = token();
  return own ? { Authorization: `Bearer ${own}` } : {};
}

/** The node refused; `status` is that of HTTP. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function accepted(response) {
  if (response.ok) return response;
  let message = `the node answers ${response.status}`;
  try {
    message = (await response.json()).error ?? message;
  } catch { /* Not JSON: the number has to do. */ }
  throw new Refused(response.status, message);
}

export async function get(path) {
  return (await accepted(await fetch(path, { headers: headers() }))).json();
}

export async function post(path) {
  return (await accepted(await fetch(path, { method: 'POST', headers: headers() }))).json();
}

/** Takes server-sent events apart. */
export class Parser {
  #rest = '';

  /** The events that are complete with this text. */
  push(text) {
    const parts = (this.#rest + text).split('\n\n');
    this.#rest = parts.pop();
    return parts.flatMap(part => {
      const event = { name: 'message', data: '' };
      for (const line of part.split('\n')) {
        if (line.startsWith('event:')) event.name = line.slice(6).trim();
        if (line.startsWith('data:')) event.data += line.slice(5).trimStart();
      }
      return event.data ? [event] : [];
    });
  }
}

/**
 * Follows events until `close` is called on what this returns, again and again should the node go away.
 * `on(name, data)` is given each event, `onLink(up, error)` told whether events come.
 */
export function follow(path, on, onLink) {
  const abort = new AbortController();
  (async () => {
    let pause = 500;
    while (!abort.signal.aborted) {
      let why;
      try {
        const response = await accepted(await fetch(path, { headers: headers(), signal: abort.signal }));
        onLink(true);
        pause = 500;
        const [parser, decoder, reader] = [new Parser(), new TextDecoder(), response.body.getReader()];
        for (;;) {
          const { value, done } = await reader.read();
          if (done) break;
          for (const event of parser.push(decoder.decode(value, { stream: true }))) on(event.name, JSON.parse(event.data));
        }
      } catch (error) {
        why = error;
      }
      if (abort.signal.aborted) return;
      onLink(false, why);
      await new Promise(resolve => setTimeout(resolve, pause));
      pause = Math.min(2 * pause, 8000);
    }
  })();
  return { close: () => abort.abort() };
}
