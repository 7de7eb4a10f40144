package intake

import "net/http"

// NewServer returns the HTTP server that faces senders. It has to accept from
// connections.Listener.
func NewServer(handler http.Handler, connections *Connections) *http.Server {
	s := &http.Server{
		Handler:                      handler,
		ReadHeaderTimeout:            headerTimeout,
		ReadTimeout:                  headerTimeout + bodyTimeout,
		WriteTimeout:                 answerTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeaderBytes,
		DisableGeneralOptionsHandler: true,
	}
	connections.watch(s)
	return s
}
