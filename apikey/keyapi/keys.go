package keyapi

import (
	"net/http"

	"github.com/latchwork/latchwork/apikey"
)

func (c *call) create() *response {
	object, refused := c.readObject(bodyRequired)
	if refused != nil {
		return refused
	}
	edit, wrong := readSpec(object)
	if _, there := object["enabled"]; there {
		wrong.add("enabled", "is not a field of a new key")
	}
	for _, field := range []string{"name", "type", "permissions"} {
		if _, there := object[field]; !there {
			wrong.add(field, "is required")
		}
	}
	var spec apikey.Spec
	edit(&spec)
	if len(wrong) > 0 {
		return c.refuseAll(wrong, c.keys.Validate(spec, nil))
	}
	issued, err := c.keys.Create(c.r.Context(), spec)
	switch {
	case isNobody(err): // the actor, while it created
		return invalidToken()
	case err != nil:
		return c.refuse(err)
	}
	a := c.one(http.StatusCreated, issued.Key, issued.Secret)
	a.header["Location"] = c.h.path + "/" + issued.Key.ID
	return a
}

func (c *call) read() *response { return c.one(http.StatusOK, c.key, apikey.Secret{}) }

func (c *call) update() *response {
	object, refused := c.readObject(bodyRequired)
	if refused != nil {
		return refused
	}
	edit, wrong := readSpec(object)
	if len(wrong) > 0 {
		spec := c.key.Spec()
		edit(&spec)
		return c.refuseAll(wrong, c.keys.Validate(spec, &c.key))
	}
	k, err := c.keys.Update(c.r.Context(), c.id, c.version, edit)
	if err != nil {
		return c.refuse(err)
	}
	return c.one(http.StatusOK, k, apikey.Secret{})
}

func (c *call) rotate() *response {
	object, refused := c.readObject(bodyOptional)
	if refused != nil {
		return refused
	}
	overlap, wrong := readOverlap(object)
	if len(wrong) > 0 {
		return validationFailed(wrong)
	}
	issued, err := c.keys.Rotate(c.r.Context(), c.id, c.version, overlap)
	if err != nil {
		return c.refuse(err)
	}
	return c.one(http.StatusOK, issued.Key, issued.Secret)
}

func (c *call) revoke() *response {
	parameters, refused := readQuery(c.r.URL.RawQuery, "descendants")
	if refused != nil {
		return refused
	}
	options := apikey.RevokeOptions{Version: c.version}
	if value, there := parameters["descendants"]; there {
		if value != "true" && value != "false" {
			return invalidRequest("descendants must be true or false.")
		}
		options.Descendants = value == "true"
	}
	if err := c.keys.Revoke(c.r.Context(), c.id, options); err != nil {
		return c.refuse(err)
	}
	return &response{status: http.StatusNoContent}
}
