package consent

// style has no comments and no quotes: it must reach the browser as it is here,
// because the policy allows it by its hash.
const style = `
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#f4f5f7;--card:#fff;--line:#767d86;--main:#1a56b0;--bad:#a4161a}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaed;--paper:#15181c;--card:#1f2429;--line:#8b949e;--main:#8ab4f8;--bad:#ffa3a3}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{width:100%;max-width:26rem;padding:1.5rem;background:var(--card);border-radius:.75rem;overflow-wrap:anywhere}
h1{margin:0 0 1rem;font-size:1.375rem;line-height:1.3}
ul{padding-left:1.25rem}
label{display:block;margin-top:1rem;font-weight:600}
input{width:100%;margin-top:.25rem;padding:.625rem;border:1px solid var(--line);border-radius:.375rem;background:transparent;color:inherit;font:inherit}
button{width:100%;margin-top:1rem;padding:.75rem;border:2px solid var(--main);border-radius:.375rem;background:var(--main);color:var(--card);font:inherit;font-weight:600;cursor:pointer}
button.quiet{background:transparent;color:var(--main)}
:focus-visible{outline:3px solid var(--main);outline-offset:2px}
a{color:inherit}
.bad{color:var(--bad);font-weight:600}
.small{font-size:.875rem}
`

// pages are the templates. Everything that comes from elsewhere is escaped by
// html/template.
const pages = `{{define "head"}}<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{.Title}} - {{.Service}}</title>
<style>` + style + `</style>
</head>
<body>
<main>
{{end}}

{{define "foot"}}</main>
</body>
</html>
{{end}}

{{define "signin"}}{{template "head" .}}<h1>Sign in to {{.Service}}</h1>
{{with .Message}}<p class="bad" role="alert">{{.}}</p>
{{end}}<form method="post" action="{{.Action}}">
<input type="hidden" name="next" value="{{.Next}}">
<label for="username">Name or e-mail address</label>
<input id="username" name="username" type="text" value="{{.Username}}" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button type="submit">Sign in</button>
</form>
{{template "foot" .}}{{end}}

{{define "consent"}}{{template "head" .}}<h1>Allow <bdi>{{.ClientName}}</bdi> to use your {{.Service}} account?</h1>
{{with .Name}}<p>You are signed in as <strong><bdi>{{.}}</bdi></strong>.</p>
{{end}}{{if .Scopes}}<p><bdi>{{.ClientName}}</bdi> wants to:</p>
<ul>
{{range .Scopes}}<li>{{.Label}}</li>
{{end}}</ul>
{{else}}<p><bdi>{{.ClientName}}</bdi> wants to know who you are, and nothing else.</p>
{{end}}<p class="small">Afterwards you return to <strong><bdi>{{.Goes}}</bdi></strong>.{{with .Apps}} You can take this back at any time under <a href="{{.}}">your applications</a>.{{end}}</p>
<form method="post" action="{{.Action}}">
<input type="hidden" name="ticket" value="{{.Ticket}}">
<button type="submit" name="decision" value="approve">Allow</button>
<button type="submit" name="decision" value="deny" class="quiet">Do not allow</button>
</form>
{{template "foot" .}}{{end}}

{{define "error"}}{{template "head" .}}<h1>{{.Title}}</h1>
<p role="alert">{{.Message}}</p>
{{template "foot" .}}{{end}}
`
