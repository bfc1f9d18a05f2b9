package middleware

import (
	"fmt"
	"net/http"
	"strings"
)

// WritePaymenterRejection is a Config.Reject for clients that were written for
// a Paymenter panel: the bodies are those of its API. Status and headers stay
// ours, which are stricter; what Paymenter does not know has a body in the same
// manner.
func WritePaymenterRejection(w http.ResponseWriter, _ *http.Request, rej Rejection) {
	type message struct {
		Message string `json:"message"`
	}
	switch rej.Code {
	case CodeMissingToken:
		writeJSON(w, rej, struct {
			Error string `json:"error"`
		}{"The request is missing a valid bearer token."})
	case CodeInvalidToken:
		writeJSON(w, rej, message{"The provided API key is invalid or has been disabled."})
	case CodeWrongKeyType, CodeUserRequired, CodeClientRequired, CodeIPNotAllowed, CodeIPUnknown:
		writeJSON(w, rej, message{"You do not have permission to access this resource."})
	case CodeInsufficientScope:
		writeJSON(w, rej, message{"This action is unauthorized."})
	case CodeInvalidRequest:
		writeJSON(w, rej, message{paymenterInclude(rej)})
	default:
		writeJSON(w, rej, message{rej.Message})
	}
}

// paymenterInclude says what Paymenter says of an include that it does not
// know. Other requests are malformed in ways of our own.
func paymenterInclude(rej Rejection) string {
	switch {
	case rej.Include == "":
		return rej.Message
	case len(rej.Allowed) == 0:
		return fmt.Sprintf("Requested include(s) `%s` are not allowed. There are no allowed includes.", rej.Include)
	default:
		return fmt.Sprintf("Requested include(s) `%s` are not allowed. Allowed include(s) are `%s`.",
			rej.Include, strings.Join(rej.Allowed, ", "))
	}
}
