// Brings a deleted account back, when the button is pressed: with the link in the mail, or with a name and the password.

import { mutate, onSubmit, say, start, takeToken, words } from './links.js';

const MUTATION = `mutation BringBack($input: RestoreAccountInput!) {
  restoreAccount(input: $input) { userErrors { code field message } }
}`;

const [form, name, identifier, proof, password] =
  ['restore', 'name', 'identifier', 'proof', 'password'].map((id) => document.getElementById(id));
let token = '';

onSubmit(form, async () => {
  const proofs = proof.hidden ? {} : { password: password.value };
  const input = token
    ? { link: { token, ...proofs } }
    : { credentials: { identifier: identifier.value, ...proofs } };
  const { userErrors } = await mutate('restoreAccount', MUTATION, input);
  if (userErrors.length === 0) {
    leave();
    say('Your account is back. Sign in, or choose a new password if you have forgotten it.', 'good');
    return;
  }
  if (userErrors.some((error) => error.code === 'REQUIRED') && proof.hidden) {
    // The address was never confirmed: the mailbox alone is no proof.
    ask(proof, password);
    say('');
    password.focus();
    return;
  }
  say(words(userErrors), 'bad');
  if (userErrors.some((error) => error.field?.includes('token'))) leave();
});

/** Leaves no password behind. */
function leave() {
  form.hidden = true;
  form.reset();
}

function ask(field, input) {
  field.hidden = false;
  input.required = true;
}

start(() => {
  token = takeToken();
  say('');
  leave();
  for (const [field, input] of [[name, identifier], [proof, password]]) {
    field.hidden = Boolean(token);
    input.required = !token;
  }
  form.hidden = false;
});
