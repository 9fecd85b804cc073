// Package oauth gets OAuth 2 access tokens for an account: a person logs in
// once, in a browser on this machine (RFC 8252, with PKCE, RFC 7636) or on
// another device (RFC 8628), and the refresh token got thereby gives access
// tokens from then on.
//
// Its contract: an access token is fetched once for its lifetime, however many
// connections and processes ask; a refresh token that the server replaced is
// kept before anything else happens, and no two processes refresh at once; an
// answer that is not to our question is refused; no error and no value of this
// package prints a secret.
package oauth
