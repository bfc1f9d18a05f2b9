// Package consent has the pages of an authorization server that people see: one
// to sign in, one that asks whether an application may speak for them, and one
// that says why something cannot go on. They are plain HTML that works without
// scripts, for keyboards and screen readers too, and in the dark.
//
//	pages, err := consent.New(consent.Config{Service: "Billing"})
//	...
//	server, err := oauth.New(store, clients, oauth.Config{
//		Issuer: "https://billing.example", Prefix: "paym", Users: users, Passwords: passwords,
//		Login: session.Subject, LoginURL: "/oauth/login", Consent: pages.Consent, ErrorPage: pages.Error,
//	})
//	...
//	mux.Handle("/oauth/login", pages.SignIn(server, session.Start))
//
// A host that has a sign-in page already uses that, and gives its address as
// LoginURL; one that wants a page of its own for the question writes a function
// in place of [Pages.Consent].
//
// # Security considerations
//
// No page can be framed, has a script, or loads anything. What people post is
// accepted from these pages only, see [http.CrossOriginProtection]. The policies
// say nothing about form-action, because some browsers apply that to the
// redirect that follows a form, and would not let people return to the
// application; and the referrer policy is same-origin, because with none browsers
// send no origin along either.
package consent
