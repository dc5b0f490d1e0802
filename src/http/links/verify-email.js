// Confirms an address, when the button is pressed.

import { mutate, onSubmit, say, start, takeToken, words } from './links.js';

const MUTATION = `mutation ConfirmAddress($input: VerifyEmailInput!) {
  verifyEmail(input: $input) { userErrors { code field message } }
}`;

const form = document.getElementById('confirm');
let token = '';

onSubmit(form, async () => {
  const { userErrors } = await mutate('verifyEmail', MUTATION, { token });
  // A link that was refused will not be taken the next time.
  form.hidden = true;
  if (userErrors.length > 0) say(words(userErrors), 'bad');
  else say('Thank you: the address is confirmed. You can close this page.', 'good');
});

start(() => {
  token = takeToken();
  form.hidden = !token;
  if (token) say('');
  else say('This link is not complete. Open the link in the mail again, or copy all of it.', 'bad');
});
