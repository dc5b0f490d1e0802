import welcome from './tour/welcome.graphql?raw';
import signUp from './tour/sign-up.graphql?raw';
import login from './tour/login.graphql?raw';
import next from './tour/next.graphql?raw';
import current from './tour/current.graphql?raw';
import watchCounter from './tour/watch-counter.graphql?raw';
import setCurrent from './tour/set-current.graphql?raw';
import viewer from './tour/viewer.graphql?raw';
import uploadPhotos from './tour/upload-photos.graphql?raw';
import myPhotos from './tour/my-photos.graphql?raw';
import publishPhotos from './tour/publish-photos.graphql?raw';
import photos from './tour/photos.graphql?raw';
import watchPhotos from './tour/watch-photos.graphql?raw';
import editAndUnpublish from './tour/edit-and-unpublish.graphql?raw';
import deletePhotos from './tour/delete-photos.graphql?raw';
import createApiKey from './tour/create-api-key.graphql?raw';
import useApiKey from './tour/use-api-key.graphql?raw';
import apiKeys from './tour/api-keys.graphql?raw';
import revokeApiKey from './tour/revoke-api-key.graphql?raw';
import sessions from './tour/sessions.graphql?raw';
import endSession from './tour/end-session.graphql?raw';
import auditLog from './tour/audit-log.graphql?raw';
import verifyEmail from './tour/verify-email.graphql?raw';
import changePassword from './tour/change-password.graphql?raw';
import forgotPassword from './tour/forgot-password.graphql?raw';
import resetPassword from './tour/reset-password.graphql?raw';
import users from './tour/users.graphql?raw';
import suspendUser from './tour/suspend-user.graphql?raw';
import logout from './tour/logout.graphql?raw';
import { inLines } from './variables.js';

/**
 * The tabs of a first visit, to be run from left to right. Each works as it
 * stands, but for those that want something from an answer or a mail.
 */
export function tourTabs() {
  const username = `guest${randomHex(3)}`;
  const email = `${username}@example.com`;
  // Random as well: these accounts must not all share a password known to everyone.
  const [password, second, third] = [randomHex(8), randomHex(8), randomHex(8)];
  const token = 'the token of the link in the mail';
  const photoId = 'the id of the photo';

  return [
    { query: welcome },
    { query: signUp, variables: json({ input: { email, username, password, displayName: 'A guest' } }) },
    { query: login, variables: json({ input: { identifier: username, password, deviceName: 'playground' } }) },
    { query: next },
    { query: current, variables: json({ counter: 'default' }) },
    { query: watchCounter, variables: json({ name: 'default' }) },
    { query: setCurrent, variables: json({ input: { current: 41, counter: 'default' } }) },
    { query: viewer },
    { query: uploadPhotos, variables: inLines({ input: { photos: [{ file: null, caption: 'Coats in a row #cloakroom' }], publish: false } }) },
    { query: myPhotos, variables: json({ state: 'DRAFT' }) },
    { query: publishPhotos, variables: json({ input: { photoIds: [photoId] } }) },
    { query: photos, variables: json({ tags: null, first: 10, after: null }) },
    { query: watchPhotos, variables: json({ tags: null }) },
    { query: editAndUnpublish, variables: json({ photoId, caption: 'Nobody else sees it #draft' }) },
    { query: deletePhotos, variables: json({ input: { photoIds: [photoId] } }) },
    { query: createApiKey, variables: json({ input: { password, name: 'cash desk', scopes: ['COUNTERS_NEXT'], counter: 'default' } }) },
    { query: useApiKey, headers: json({ Authorization: 'Bearer crk_...' }) },
    { query: apiKeys },
    { query: revokeApiKey, variables: json({ input: { apiKeyId: 'the id of the key' } }) },
    { query: sessions },
    { query: endSession, variables: json({ input: { sessionId: 'the id of the session' } }) },
    { query: auditLog },
    { query: verifyEmail, variables: json({ input: { token } }) },
    { query: changePassword, variables: json({ input: { currentPassword: password, newPassword: second, sessions: 'END', apiKeys: 'KEEP' } }) },
    { query: forgotPassword, variables: json({ input: { email } }) },
    { query: resetPassword, variables: json({ input: { token, newPassword: third } }) },
    { query: users, variables: json({ first: 10, after: null, search: '' }) },
    { query: suspendUser, variables: json({ input: { userId: 'the id of the user' } }) },
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
