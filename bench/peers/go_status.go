// go_status BODY: what a plain program on Go's net/http does for a worker's /status, for bench/worker.py. Listens on
// 127.0.0.1 and prints the port; answers what BODY, a worker's own answer, says, encoded anew each time.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
)

type status struct {
	Version              int
	Features             []string `json:"features"`
	Load                 float64  `json:"load"`
	CPUs                 int      `json:"cpus"`
	MemoryBytes          int64    `json:"memoryBytes"`
	MemoryAvailableBytes int64    `json:"memoryAvailableBytes"`
	DiskBytes            int64    `json:"diskBytes"`
	DiskAvailableBytes   int64    `json:"diskAvailableBytes"`
}

func main() {
	var answer status
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go_status BODY")
		os.Exit(2)
	}
	err := json.Unmarshal([]byte(os.Args[1]), &answer)
	listener, listening := net.Listen("tcp", "127.0.0.1:0")
	if err != nil || listening != nil {
		fmt.Fprintln(os.Stderr, "go_status:", err, listening)
		os.Exit(1)
	}
	http.HandleFunc("/status", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" {
			http.Error(w, "requires GET method", http.StatusBadRequest)
			return
		}
		body, _ := json.Marshal(answer)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Write(body)
	})
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	http.Serve(listener, nil)
}
