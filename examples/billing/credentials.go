package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
)

// credentials are all that a new database lets in.
type credentials struct {
	BaseURL string            `json:"base_url"`
	APIKey  string            `json:"api_key"`
	User    login             `json:"user"`
	Clients map[string]client `json:"clients"`
}

type login struct {
	Username string `json:"username"`
	Password string `json:"password"`
	ID       string `json:"id"`
}

type client struct {
	ID          string `json:"client_id"`
	Secret      string `json:"client_secret,omitempty"`
	RedirectURI string `json:"redirect_uri,omitempty"`
}

// writeCredentials moves a complete file into place. CreateTemp gives it mode 0600.
func writeCredentials(path string, c credentials) error {
	if path == "" {
		return nil
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".credentials-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // in vain once it was moved
	if err := errors.Join(json.NewEncoder(file).Encode(c), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
