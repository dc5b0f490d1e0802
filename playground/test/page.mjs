// What a person does with the playground, and sees of it.

import assert from 'node:assert/strict';

export const url = new URL(process.env.CLOAKROOM_URL ?? 'http://127.0.0.1:8000');

/** Runs a tab that must succeed, and returns the data of the answer. */
export async function run(page, tab, written, editor) {
  const answer = await runAny(page, tab, written, editor);
  assert.equal(answer.errors, undefined, `${tab} answers ${JSON.stringify(answer)}`);
  return answer.data;
}

/** Runs a tab and returns the answer, which the response pane must show. */
export async function runAny(page, tab, written, editor = 'Variables') {
  await click(page, tab);
  if (written) await write(page, editor, written);
  const answer = await answerTo(page, tab, () => execute(page));
  await shows(page, answer);
  return answer;
}

export async function shows(page, answer) {
  await page.waitForFunction(isShown, JSON.stringify(answer)).catch(() => {
    throw new Error(`the response pane does not show ${JSON.stringify(answer)}`);
  });
}

export async function click(page, tab) {
  await page.getByRole('tab').getByText(tab, { exact: true }).click();
  // GraphiQL takes up the operation of a tab a tenth of a second after opening it.
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)));
}

export function execute(page) {
  return page.locator('.graphiql-execute-button').click();
}

/** The answer to an operation, which `act` makes the page send. */
export async function answerTo(page, operation, act) {
  const isAnswer = (response) => operationNameOf(response.request()) === operation;
  try {
    const [response] = await Promise.all([page.waitForResponse(isAnswer), act()]);
    return await response.json();
  } catch (error) {
    throw new Error(`no answer to ${operation}: ${error.message}`);
  }
}

/** What a request asks for; nothing of one with files, of which a browser does not show the body. */
export function operationNameOf(request) {
  const isJson = request.headers()['content-type']?.startsWith('application/json');
  return isJson ? request.postDataJSON().operationName : undefined;
}

/** Runs an operation beside the page. */
export async function send(query, variables, token) {
  const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
  const body = JSON.stringify({ query, variables });
  return (await (await fetch(new URL('/graphql', url), { method: 'POST', headers, body })).json()).data;
}

/** The tokens that the page keeps. */
export function storedSessions(page) {
  return page.evaluate(() => Object.keys(localStorage)
    .filter((name) => name.startsWith('cloakroom:session:'))
    .map((name) => JSON.parse(localStorage.getItem(name))));
}

/** Replaces the variables or headers of the open tab. */
export async function write(page, editor, value) {
  await page.getByRole('button', { name: editor, exact: true }).click();
  await page.locator(`[aria-label="${editor}"] .monaco-editor:visible`).first().click();
  await page.keyboard.press('ControlOrMeta+A');
  // Typed over a selection, the opening bracket would surround it.
  await page.keyboard.press('Delete');
  await page.keyboard.insertText(JSON.stringify(value));
}

/** In the page: whether the response pane shows `text`, however it is laid out; of a long one, its beginning. */
export function isShown(text) {
  const top = (line) => Number.parseFloat(line.style.top);
  const shown = [...document.querySelectorAll('.result-window .view-line')]
    .sort((one, other) => top(one) - top(other))
    .map((line) => line.textContent)
    .join('');
  const [got, wanted] = [shown, text].map((one) => one.replace(/\s/g, ''));
  return got === wanted || (got.length > 200 && wanted.startsWith(got));
}
