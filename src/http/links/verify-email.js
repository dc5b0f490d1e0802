// Confirms an address, when the button is pressed. The link proves the mailbox, the password proves the account.

import { mutate, onSubmit, say, start, takeToken, words } from './links.js';

const MUTATION = `mutation ConfirmAddress($input: VerifyEmailInput!) {
  verifyEmail(input: $input) { userErrors { code field message } }
}`;

const [form, password, shown, other] =
  ['confirm', 'password', 'show', 'other'].map((id) => document.getElementById(id));
let token = '';

onSubmit(form, async () => {
  password.removeAttribute('aria-invalid');
  const { userErrors } = await mutate('verifyEmail', MUTATION, { token, password: password.value });
  if (userErrors.length === 0) {
    leave();
    say('Thank you: the address is confirmed. You can close this page.', 'good');
    return;
  }
  say(words(userErrors), 'bad');
  if (userErrors.every((error) => error.field?.includes('password'))) {
    // The link is as good as before.
    password.setAttribute('aria-invalid', 'true');
    password.focus();
  } else {
    leave();
  }
});

shown.addEventListener('change', () => {
  password.type = shown.checked ? 'text' : 'password';
});

// A mail to the address leads on: after a new password nobody has access who had it before.
other.querySelector('button').addEventListener('click', () => location.assign('reset-password'));

/** Leaves no password behind. */
function leave() {
  form.hidden = true;
  other.hidden = true;
  form.reset();
  password.type = 'password';
}

start(() => {
  token = takeToken();
  leave();
  if (token) {
    form.hidden = false;
    other.hidden = false;
    say('');
  } else {
    say('This link is not complete. Open the link in the mail again, or copy all of it.', 'bad');
  }
});
