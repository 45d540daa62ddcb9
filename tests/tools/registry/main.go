// A schema registry for tests: franz-go's srfake at an address of one's choice,
// with what was registered kept in a file, so that it can be killed and come
// back; over TLS and behind basic auth if wanted.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/sr/srfake"
)

// One POST /subjects/…/versions, as it is kept.
type registration struct {
	Path string
	Body json.RawMessage
}

type keeper struct {
	next http.Handler
	file *os.File

	mutex sync.Mutex
}

// Keeps a registration before it is answered: ids are counted, and must be the
// same when all are registered again.
func (k *keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/versions") {
		k.next.ServeHTTP(w, r)
		return
	}
	k.mutex.Lock()
	defer k.mutex.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	line, err := json.Marshal(registration{r.URL.EscapedPath(), body})
	if err == nil {
		_, err = k.file.Write(append(line, '\n'))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	k.next.ServeHTTP(w, r)
}

func registerAgain(state string, target string, auth string) error {
	file, err := os.Open(state)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var kept registration
		if err := json.Unmarshal(line, &kept); err != nil {
			return err
		}
		request, err := http.NewRequest(http.MethodPost, target+kept.Path, bytes.NewReader(kept.Body))
		if err != nil {
			return err
		}
		if auth != "" {
			request.Header.Set("Authorization", auth)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		answer.Body.Close()
	}
}

func run() error {
	listen := flag.String("listen", "127.0.0.1:0", "where to listen")
	state := flag.String("state", "", "keeps what is registered in this file")
	user := flag.String("user", "", "USER:PASSWORD that requests must have")
	certificate := flag.String("tls", "", "speaks TLS, and writes its certificate to this file")
	flag.Parse()

	var options []srfake.Option
	auth := ""
	if *user != "" {
		auth = "Basic " + base64.StdEncoding.EncodeToString([]byte(*user))
		options = append(options, srfake.WithAuth(auth))
	}
	fake := srfake.New(options...)
	if err := registerAgain(*state, fake.URL(), auth); err != nil {
		return err
	}
	target, err := url.Parse(fake.URL())
	if err != nil {
		return err
	}
	file, err := os.OpenFile(*state, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	server := http.Server{Handler: &keeper{
		next: httputil.NewSingleHostReverseProxy(target),
		file: file,
	}}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	if *certificate != "" {
		if server.TLSConfig, err = selfSigned(*certificate); err != nil {
			return err
		}
	}
	fmt.Printf("listening %s\n", listener.Addr())
	if *certificate != "" {
		return server.ServeTLS(listener, "", "")
	}
	return server.Serve(listener)
}

func main() {
	log.Fatal(run())
}
