// What the pages behind the links in mails share.

/** The token of the link, which is taken out of the address bar: it is in no history and no screenshot. */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
  if (location.hash) history.replaceState(null, '', location.pathname + location.search);
  return token;
}

/** Shows a message; `kind` is `good`, `bad` or empty. */
export function say(text, kind = '') {
  const message = document.getElementById('message');
  message.textContent = text;
  message.className = `message ${kind}`;
  if (text) message.focus();
}

/** Runs `work` when the form is sent, once at a time. Nothing else in a page sends anything. */
export function onSubmit(form, work) {
  const button = form.querySelector('button');
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (button.getAttribute('aria-disabled') === 'true') return;
    button.setAttribute('aria-disabled', 'true');
    say('One moment …');
    try {
      await work();
    } catch (error) {
      say(error.message, 'bad');
    } finally {
      button.removeAttribute('aria-disabled');
    }
  });
}

/** The payload of the mutation `name`; throws an error with words for a person where there is none. */
export async function mutate(name, query, input) {
  let answer;
  try {
    const response = await fetch('graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json, application/json' },
      body: JSON.stringify({ query, variables: { input } }),
      credentials: 'omit',
    });
    answer = await response.json();
  } catch {
    throw new Error('The server cannot be reached. Try again in a moment.');
  }
  const payload = answer.data?.[name];
  if (!payload) throw new Error(answer.errors?.[0]?.message ?? 'The server gave no answer. Try again in a moment.');
  return payload;
}

/** The errors of a payload, one a line. */
export function words(userErrors) {
  return userErrors.map((error) => error.message).join('\n');
}

/** Runs `begin` now, and again when another link is opened in the same tab. */
export function start(begin) {
  addEventListener('hashchange', () => location.hash && begin());
  begin();
}
