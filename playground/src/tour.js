import welcome from './tour/welcome.graphql?raw';
import signUp from './tour/sign-up.graphql?raw';
import login from './tour/login.graphql?raw';
import next from './tour/next.graphql?raw';
import current from './tour/current.graphql?raw';
import setCurrent from './tour/set-current.graphql?raw';
import viewer from './tour/viewer.graphql?raw';
import logout from './tour/logout.graphql?raw';

/** The tabs of a first visit. Run from left to right, each works as it stands. */
export function tourTabs() {
  const username = `guest${randomHex(3)}`;
  const email = `${username}@example.com`;
  // Random as well: these accounts must not all share a password known to everyone.
  const password = randomHex(8);

  return [
    { query: welcome },
    { query: signUp, variables: json({ input: { email, username, password } }) },
    { query: login, variables: json({ input: { identifier: username, password } }) },
    { query: next },
    { query: current, variables: json({ counter: 'default' }) },
    { query: setCurrent, variables: json({ input: { current: 41, counter: 'default' } }) },
    { query: viewer },
    { query: logout },
  ];
}

function randomHex(bytes) {
  const values = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(values, (value) => value.toString(16).padStart(2, '0')).join('');
}

function json(value) {
  return JSON.stringify(value, null, 2);
}
