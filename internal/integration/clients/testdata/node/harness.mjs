// What both programs need: the credentials, a step that says when it is done, and
// somebody with a browser. Lines of JSON go to the test, which is that somebody.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

export const { base_url: base, user, clients } = JSON.parse(readFileSync(process.argv[2], 'utf8'))

export async function step(name, run) {
  await run()
  console.log(JSON.stringify({ done: name }))
}

// A callback listens on a port of its own, and is the client's site.
export async function callback(client) {
  const visits = []
  let arrived = () => {}
  const site = createServer((request, response) => {
    visits.push(request.url)
    response.end('You may close this window.')
    arrived()
  })
  site.listen(0, '127.0.0.1')
  await once(site, 'listening')
  const uri = new URL(client.redirect_uri)
  uri.port = site.address().port
  return {
    uri: uri.href,
    // visit opens a link and returns the URL that the browser came back with.
    async visit(link, decision) {
      const visited = new Promise((resolve) => { arrived = resolve })
      console.log(JSON.stringify({ open: String(link), decision }))
      await visited
      return new URL(visits.pop(), uri)
    },
    close: () => site.close(),
  }
}
