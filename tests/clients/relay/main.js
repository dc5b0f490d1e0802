// Runs Counters.js, with each `graphql` tag replaced by the artifact that relay-compiler made of it, as a bundler does.
require('@babel/register')({
  babelrc: false,
  cache: false,
  only: [/Counters\.js$/],
  plugins: [['relay', { artifactDirectory: `${__dirname}/generated`, eagerEsModules: false }]],
});
require('./Counters.js');
