// Package clients tries examples/billing with OAuth clients that others wrote:
// golang.org/x/oauth2 in this process, openid-client and simple-oauth2 in Node.js.
// Each of them runs over loopback against the program, and a person without
// JavaScript signs in and decides on its pages.
//
// Node.js and npm have to be installed: apt-get install nodejs npm. What npm
// installs is fixed by testdata/node/package-lock.json and goes to a directory
// of the test.
package clients
