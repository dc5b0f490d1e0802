// Opens the pages behind the links in mails in a browser, as their readers would. The pages are the server's; the
// API's answers are written here, so that every one of them is seen.
//
//   CLOAKROOM_URL  a running Cloakroom (http://127.0.0.1:8000)
//   CHROMIUM       the browser to use (/usr/bin/chromium)
//   SCREENSHOTS    a folder to save pictures of the pages in, if any

import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const origin = new URL(process.env.CLOAKROOM_URL ?? 'http://127.0.0.1:8000').origin;
const phone = { viewport: { width: 360, height: 640 }, isMobile: true, colorScheme: 'dark' };

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
});

try {
  for (const visit of [
    anAddressIsConfirmedByAPress,
    anotherLinkMayBeOpenedInTheSameTab,
    aLinkThatIsNoLongerGoodSaysSo,
    aLinkWithoutItsTokenSaysSo,
    aServerThatDoesNotAnswerMayBeAskedAgain,
    aWrongPasswordMayBeCorrected,
    whoDidNotCreateTheAccountIsLedToANewPassword,
    aDeletedAccountIsBroughtBackByItsLink,
    aDeletedAccountIsBroughtBackByItsName,
    aPasswordIsChosen,
    aNewLinkIsAskedFor,
    withoutScriptsNothingIsOffered,
  ]) {
    await visit();
  }
  console.log(`The pages of ${origin} are well.`);
} catch (error) {
  console.error(`The pages of ${origin} are not well: ${error.message}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}

async function anAddressIsConfirmedByAPress() {
  const { page, inputs, urls, done } = await open('/verify-email#token=AbC-123_x', [accepted('verifyEmail')]);
  await button(page, 'Confirm the address').waitFor();
  assert.equal(page.url(), `${origin}/verify-email`, 'the token is out of the address bar');
  await page.waitForLoadState('networkidle');
  assert.equal(inputs.length, 0, 'opening the page sends nothing');
  await picture(page, 'verify');
  await page.getByLabel('Password', { exact: true }).fill('correct horse battery');
  assert.equal(await page.getAttribute('#password', 'autocomplete'), 'current-password');
  await button(page, 'Confirm the address').dblclick();
  await page.getByText('the address is confirmed').waitFor();
  assert.equal(await page.getByRole('button').count(), 0);
  assert.deepEqual(inputs, [{ token: 'AbC-123_x', password: 'correct horse battery' }], 'it is sent once');
  assert.equal(await page.inputValue('#password'), '', 'it is left nowhere');
  assert.ok(urls.every((url) => !url.includes('AbC')), `the token is in no URL that is asked for: ${urls}`);
  await done();
}

async function anotherLinkMayBeOpenedInTheSameTab() {
  const { page, inputs, done } = await open('/verify-email#token=one', [accepted('verifyEmail')]);
  await page.evaluate(() => { location.hash = '#token=two'; });
  await page.waitForFunction(() => !location.hash);
  await page.keyboard.press('Tab');
  await page.keyboard.type('mine');
  await page.keyboard.press('Enter');
  await page.getByText('the address is confirmed').waitFor();
  assert.deepEqual(inputs, [{ token: 'two', password: 'mine' }]);
  await done();
}

async function aLinkThatIsNoLongerGoodSaysSo() {
  const { page, done } = await open('/verify-email#token=x', [
    refused('verifyEmail', 'EXPIRED', 'token', 'This link is <b>not</b> good any more.'),
  ]);
  await page.getByLabel('Password', { exact: true }).fill('mine');
  await button(page, 'Confirm the address').click();
  await page.getByText('This link is <b>not</b> good any more.').waitFor();
  assert.equal(await page.getByRole('button').count(), 0);
  await picture(page, 'verify-refused');
  await done();
}

async function aLinkWithoutItsTokenSaysSo() {
  const { page, done } = await open('/verify-email', []);
  await page.getByText('This link is not complete.').waitFor();
  assert.equal(await page.getByRole('button').count(), 0);
  await done();
}

async function aServerThatDoesNotAnswerMayBeAskedAgain() {
  const { page, inputs, done } = await open('/verify-email#token=x', [
    { status: 502, contentType: 'text/html', body: '<html>' },
    json({ errors: [{ message: 'Try again in 12 s.', extensions: { code: 'RATE_LIMITED' } }] }),
    accepted('verifyEmail'),
  ]);
  await page.getByLabel('Password', { exact: true }).fill('mine');
  for (const message of ['The server cannot be reached.', 'Try again in 12 s.', 'the address is confirmed']) {
    await button(page, 'Confirm the address').click();
    await page.getByText(message).waitFor();
  }
  assert.equal(inputs.length, 3);
  await done(['502']);
}

async function aWrongPasswordMayBeCorrected() {
  const { page, inputs, done } = await open('/verify-email#token=x', [
    refused('verifyEmail', 'WRONG_CREDENTIALS', 'password', 'The password is wrong.'),
    accepted('verifyEmail'),
  ], phone);
  const password = page.getByLabel('Password', { exact: true });
  await button(page, 'Confirm the address').click();
  assert.equal(inputs.length, 0, 'no password, nothing to send');
  await password.fill('wrong');
  await password.press('Enter');
  await page.getByText('The password is wrong.').waitFor();
  await page.waitForFunction(() => document.activeElement.id === 'password');
  await picture(page, 'verify-wrong');
  await password.fill('right');
  await password.press('Enter');
  await page.getByText('the address is confirmed').waitFor();
  assert.deepEqual(inputs.map((input) => input.password), ['wrong', 'right']);
  await done();
}

async function whoDidNotCreateTheAccountIsLedToANewPassword() {
  const { page, inputs, done } = await open('/verify-email#token=x', [
    json({ data: { requestPasswordReset: { accepted: true } } }),
  ]);
  await button(page, 'I did not create this account').click();
  await page.getByLabel('E-mail address of your account').fill('anna@example.org');
  await button(page, 'Send me a link').click();
  await page.getByText('a mail is on its way').waitFor();
  assert.deepEqual(inputs, [{ email: 'anna@example.org' }], 'the link to confirm is not used');
  await done();
}

async function aDeletedAccountIsBroughtBackByItsLink() {
  const { page, inputs, done } = await open('/restore-account#token=x', [
    refused('restoreAccount', 'REQUIRED', 'password', 'The password is needed.'),
    accepted('restoreAccount'),
  ]);
  await page.waitForLoadState('networkidle');
  assert.equal(inputs.length, 0, 'opening the page sends nothing');
  await button(page, 'Bring the account back').click();
  await page.getByLabel('Password').fill('mine');
  await picture(page, 'restore');
  await button(page, 'Bring the account back').click();
  await page.getByText('Your account is back.').waitFor();
  assert.deepEqual(inputs, [{ link: { token: 'x' } }, { link: { token: 'x', password: 'mine' } }]);
  await done();
}

async function aDeletedAccountIsBroughtBackByItsName() {
  const { page, inputs, done } = await open('/restore-account', [accepted('restoreAccount')]);
  await page.getByLabel('E-mail address or username').fill('anna');
  await page.getByLabel('Password').fill('mine');
  await button(page, 'Bring the account back').click();
  await page.getByText('Your account is back.').waitFor();
  assert.deepEqual(inputs, [{ credentials: { identifier: 'anna', password: 'mine' } }]);
  await done();
}

async function aPasswordIsChosen() {
  const { page, inputs, done } = await open('/reset-password#token=x', [
    refused('resetPassword', 'TOO_WEAK', 'newPassword', 'This password is easy to guess.'),
    accepted('resetPassword'),
  ], phone);
  const password = page.getByLabel('New password');
  await picture(page, 'reset');
  await button(page, 'Change the password').click();
  assert.equal(inputs.length, 0, 'no password, nothing to send');
  await password.fill('password1');
  assert.equal(await password.getAttribute('autocomplete'), 'new-password');
  await page.getByLabel('Show the password').check();
  assert.equal(await password.getAttribute('type'), 'text');
  await password.press('Enter');
  await page.getByText('This password is easy to guess.').waitFor();
  await page.waitForFunction(() => document.activeElement.id === 'password');
  await picture(page, 'reset-weak');
  await password.fill('correct horse battery');
  await button(page, 'Change the password').click();
  await page.getByText('Your password is changed.').waitFor();
  assert.deepEqual(inputs.map((input) => input.newPassword), ['password1', 'correct horse battery']);
  assert.equal(await page.inputValue('#password'), '', 'it is left nowhere');
  await done();
}

async function aNewLinkIsAskedFor() {
  const { page, inputs, done } = await open('/reset-password#token=x', [
    refused('resetPassword', 'EXPIRED', 'token', 'This link is not good any more.'),
    json({ data: { requestPasswordReset: { accepted: true } } }),
  ]);
  await page.getByLabel('New password').fill('correct horse battery');
  await button(page, 'Change the password').click();
  await page.getByText('This link is not good any more.').waitFor();
  await button(page, 'Ask for a new link').click();
  await page.getByLabel('E-mail address of your account').fill('anna@example.org');
  await picture(page, 'reset-ask');
  await button(page, 'Send me a link').click();
  await page.getByText('a mail is on its way').waitFor();
  assert.deepEqual(inputs[1], { email: 'anna@example.org' });
  await done();
}

async function withoutScriptsNothingIsOffered() {
  const { page, done } = await open('/reset-password#token=x', [], { javaScriptEnabled: false });
  assert.equal(await page.getByRole('button').count(), 0);
  await picture(page, 'no-scripts');
  await done();
}

/** Opens a page; the API gives these answers in turn. `done` checks what must not have happened. */
async function open(path, answers, options = {}) {
  const context = await browser.newContext({ viewport: { width: 900, height: 640 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  const [inputs, urls, complaints] = [[], [], []];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
  page.on('request', (request) => {
    const { protocol } = new URL(request.url());
    urls.push(request.url().split('#')[0]);
    if (protocol !== 'data:' && !request.url().startsWith(`${origin}/`)) complaints.push(`left: ${request.url()}`);
  });
  await page.route('**/graphql', async (route) => {
    const request = route.request();
    assert.equal(request.method(), 'POST');
    assert.equal(request.headers()['content-type'], 'application/json');
    assert.equal(request.headers().referer, undefined);
    inputs.push(request.postDataJSON().variables.input);
    await route.fulfill(answers.shift());
  });
  await page.goto(origin + path);
  const done = async (expected = []) => {
    const unexpected = complaints.filter((text) => !expected.some((part) => text.includes(part)));
    assert.deepEqual(unexpected, [], 'the browser complains');
    assert.deepEqual(answers, [], 'every answer was wanted');
    await context.close();
  };
  return { page, inputs, urls, done };
}

function button(page, name) {
  return page.getByRole('button', { name });
}

function json(body) {
  return { contentType: 'application/graphql-response+json', body: JSON.stringify(body) };
}

function accepted(mutation) {
  return json({ data: { [mutation]: { userErrors: [] } } });
}

function refused(mutation, code, field, message) {
  return json({ data: { [mutation]: { userErrors: [{ code, field: ['input', field], message }] } } });
}

async function picture(page, name) {
  if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}.png` });
}
