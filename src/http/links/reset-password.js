// Sets a new password, or asks for the mail with the link to do so; both when a button is pressed.

import { mutate, onSubmit, say, start, takeToken, words } from './links.js';

const CHOOSE = `mutation ChoosePassword($input: ResetPasswordInput!) {
  resetPassword(input: $input) { userErrors { code field message } }
}`;
const ASK = `mutation AskForLink($input: RequestPasswordResetInput!) {
  requestPasswordReset(input: $input) { accepted }
}`;

const [choose, ask, again, password, shown, email] =
  ['choose', 'ask', 'again', 'password', 'show', 'email'].map((id) => document.getElementById(id));
let token = '';

onSubmit(choose, async () => {
  password.removeAttribute('aria-invalid');
  const { userErrors } = await mutate('resetPassword', CHOOSE, { token, newPassword: password.value });
  if (userErrors.length === 0) {
    leave();
    say('Your password is changed. Sign in with the new one; you can close this page.', 'good');
    return;
  }
  say(words(userErrors), 'bad');
  if (userErrors.every((error) => error.field?.includes('newPassword'))) {
    password.setAttribute('aria-invalid', 'true');
    password.focus();
  } else {
    leave();
    again.hidden = false;
  }
});

onSubmit(ask, async () => {
  await mutate('requestPasswordReset', ASK, { email: email.value });
  ask.hidden = true;
  say('If an account has this address, a mail is on its way. Its link is good once, and not for long.', 'good');
});

shown.addEventListener('change', () => {
  password.type = shown.checked ? 'text' : 'password';
});

again.addEventListener('click', () => {
  say('');
  offerMail();
  email.focus();
});

/** Leaves no password behind. */
function leave() {
  choose.hidden = true;
  choose.reset();
  password.type = 'password';
}

function offerMail() {
  again.hidden = true;
  ask.hidden = false;
}

start(() => {
  token = takeToken();
  say('');
  leave();
  again.hidden = true;
  ask.hidden = true;
  if (token) choose.hidden = false;
  else offerMail();
});
