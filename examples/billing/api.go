package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/oauth"
)

// An api answers the requests for one resource that the Guard let through.
type api struct {
	res    resource
	db     *database
	tokens *oauth.Server
}

func (a api) list(w http.ResponseWriter, r *http.Request) {
	a.page(w, r, func(ctx context.Context, from, limit int) ([]record, int, error) {
		return a.db.page(ctx, a.res.name, from, limit)
	})
}

// page answers with the part of some records that the query asks for, and with
// how many there are.
func (a api) page(w http.ResponseWriter, r *http.Request, read func(ctx context.Context, from, limit int) ([]record, int, error)) {
	wrong, query := faults{}, r.URL.Query()
	page, err := strconv.Atoi(cmp.Or(strings.Join(query["page"], " and "), "1")) // two are no number
	if err != nil || page < 1 {
		wrong["page"] = []string{"This must be one number of at least 1."}
	}
	perPage, err := strconv.Atoi(cmp.Or(strings.Join(query["per_page"], " and "), "15"))
	if err != nil || perPage < 1 || perPage > 100 {
		wrong["per_page"] = []string{"This must be one number from 1 to 100."}
	}
	if len(wrong) > 0 {
		fail(w, http.StatusUnprocessableEntity, "validation_failed", "The given data is not valid.", wrong)
		return
	}
	from := min(page-1, math.MaxInt32) * perPage // which is as good as any page behind the last
	records, total, err := read(r.Context(), from, perPage)
	if err != nil {
		broken(w, r, err)
		return
	}
	a.answer(w, r, http.StatusOK, values{"data": records, "meta": values{"page": page, "per_page": perPage, "total": total}}, records)
}

func (a api) get(w http.ResponseWriter, r *http.Request) {
	found, err := a.db.get(r.Context(), a.res.name, r.PathValue("id"))
	switch {
	case err != nil:
		broken(w, r, err)
	case len(found) == 0:
		notFound(w, r)
	default:
		a.answer(w, r, http.StatusOK, values{"data": found[0]}, found)
	}
}

func (a api) save(w http.ResponseWriter, r *http.Request) {
	sent, ok := readObject(w, r)
	if !ok {
		return
	}
	rec, wrong, found, err := a.db.save(r.Context(), a.res, r.PathValue("id"), sent)
	switch {
	case err != nil:
		broken(w, r, err)
	case !found:
		notFound(w, r)
	case len(wrong) > 0:
		fail(w, http.StatusUnprocessableEntity, "validation_failed", "The given data is not valid.", wrong)
	case r.Method == http.MethodPost:
		w.Header().Set("Location", r.URL.Path+"/"+rec.ID)
		a.answer(w, r, http.StatusCreated, values{"data": rec}, []record{rec})
	default:
		a.answer(w, r, http.StatusOK, values{"data": rec}, []record{rec})
	}
}

func (a api) remove(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	found, err := a.db.remove(r.Context(), a.res.name, id)
	if err != nil {
		broken(w, r, err)
		return
	}
	if !found {
		notFound(w, r)
		return
	}
	if a.res.name == "users" { // whoever goes away meanwhile stops this no more
		if _, err := a.tokens.RevokeSubject(context.WithoutCancel(r.Context()), id); err != nil {
			fail(w, http.StatusServiceUnavailable, "unavailable", "The user is deleted, but may still be signed in.", nil)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// answer adds what ?include= asks for. It does not look at the query: only the
// Guard knows which of that the caller may see.
func (a api) answer(w http.ResponseWriter, r *http.Request, status int, document values, records []record) {
	if includes := middleware.IncludesFrom(r.Context()); len(includes) > 0 {
		included, err := a.included(r.Context(), includes, records)
		if err != nil {
			broken(w, r, err)
			return
		}
		document["included"] = included
	}
	respond(w, status, document)
}

// included returns the records that are related to these, each once.
func (a api) included(ctx context.Context, includes []string, records []record) ([]record, error) {
	related := []record{}
	for _, include := range includes {
		name := strings.TrimSuffix(a.res.relations[include], ".view")
		found, err := a.db.find(ctx, name, func(other record) bool {
			return slices.ContainsFunc(records, func(rec record) bool {
				return rec.Attributes[include+"_id"] == other.ID || other.Attributes[foreignKey(rec.Type)] == rec.ID
			})
		})
		if err != nil {
			return nil, err
		}
		related = append(related, found...)
	}
	return related, nil
}

// readObject returns what a request carries, or answers what is wrong with it.
func readObject(w http.ResponseWriter, r *http.Request) (object values, ok bool) {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	switch {
	case mediaType != "application/json":
		fail(w, http.StatusUnsupportedMediaType, "unsupported_media_type", "The content type must be application/json.", nil)
	case errors.As(err, new(*http.MaxBytesError)):
		fail(w, http.StatusRequestEntityTooLarge, "payload_too_large", "The body must not have more than 64 KiB.", nil)
	case err != nil || json.Unmarshal(body, &object) != nil || object == nil || repeats(body):
		fail(w, http.StatusBadRequest, "invalid_request", "The body must be one JSON object, with each name in it once.", nil)
	default:
		return object, true
	}
	return nil, false
}

// repeats reports whether a name stands twice in a JSON object, which must be
// valid: of the two values, others might have read the first.
func repeats(object []byte) bool {
	decoder, seen := json.NewDecoder(bytes.NewReader(object)), map[json.Token]bool{}
	_, _ = decoder.Token() // the brace
	for decoder.More() {
		name, _ := decoder.Token()
		if seen[name] {
			return true
		}
		seen[name] = true
		_ = decoder.Decode(new(json.RawMessage))
	}
	return false
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	fail(w, http.StatusNotFound, "not_found", "There is nothing here.", nil)
}

// broken answers a request that the database did not. What it said is for the
// log.
func broken(w http.ResponseWriter, r *http.Request, err error) {
	slog.ErrorContext(r.Context(), "database", "error", err)
	w.Header().Set("Retry-After", "1")
	fail(w, http.StatusServiceUnavailable, "unavailable", "Try again later.", nil)
}

// fail answers in the shape that the Guard's rejections have.
func fail(w http.ResponseWriter, status int, code, message string, wrong faults) {
	respond(w, status, struct {
		Error   string `json:"error"`
		Message string `json:"message"`
		Errors  faults `json:"errors,omitempty"`
	}{code, message, wrong})
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nobody to tell
}
