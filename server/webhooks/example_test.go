package webhooks_test

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// A back end that takes what it is told. It is the example of docs/webhooks.md.
func Example_receiver() {
	receiver, err := standardwebhooks.NewWebhook(os.Getenv("WEBHOOK_SECRET"))
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("POST /onair", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		if err := receiver.Verify(body, r.Header); err != nil {
			http.Error(w, "not signed by who it should be", http.StatusUnauthorized)
			return
		}
		var event struct {
			ID, Type, Subject string
			Data              json.RawMessage
		}
		if err := json.Unmarshal(body, &event); err != nil {
			http.Error(w, "no event", http.StatusBadRequest)
			return
		}
		// One transaction: note event.ID, or stop here if it is noted already; do
		// what event.EventType means for event.Subject, the live code.
		w.WriteHeader(http.StatusNoContent)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:8090", nil))
}
