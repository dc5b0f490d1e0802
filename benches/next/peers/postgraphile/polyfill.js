// PostGraphile 5.1 asks for Node 22. Of what Node 20 lacks, the calls of this benchmark need this one function.
Promise.withResolvers ??= function withResolvers() {
  let resolve, reject
  const promise = new this((resolved, rejected) => {
    resolve = resolved
    reject = rejected
  })
  return { promise, resolve, reject }
}
