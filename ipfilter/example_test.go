package ipfilter_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/latchwork/latchwork/ipfilter"
)

func Example() {
	list, err := ipfilter.ParseList([]string{"10.0.0.0/8", "2001:db8::/32"}, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	var resolver ipfilter.Resolver
	request := &http.Request{RemoteAddr: "[::ffff:10.1.2.3]:51234"}
	addr, err := resolver.Addr(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(addr, list.Contains(addr))
	// Output: 10.1.2.3 true
}

func ExampleParseList() {
	_, err := ipfilter.ParseList([]string{"192.0.2.7", "10.0.0.5/8", "office.example.com"}, 0)
	fmt.Println(err)
	// Output:
	// ipfilter: entry 1 "10.0.0.5/8": host bits set; did you mean "10.0.0.0/8"?
	// ipfilter: entry 2 "office.example.com": a name: only addresses can be listed
}

// A form can show each mistake beside the entry that it is about.
func ExampleEntryError() {
	_, err := ipfilter.ParseList([]string{"192.0.2.*", "192.0.2.7:443"}, 0)
	for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
		var entry *ipfilter.EntryError
		if errors.As(err, &entry) {
			fmt.Printf("entry %d is %s: write %s\n", entry.Index+1, entry.Reason, entry.Suggestion)
		}
	}
	// Output:
	// entry 1 is a wildcard: write 192.0.2.0/24
	// entry 2 is a port: write 192.0.2.7
}

func ExampleMustParseList() {
	internal := ipfilter.MustParseList("10.0.0.0/8", "192.168.0.0/16", "fd00::/8")
	fmt.Println(internal)
	// Output: 10.0.0.0/8, 192.168.0.0/16, fd00::/8
}

func ExampleList_Contains() {
	list := ipfilter.MustParseList("192.0.2.10-192.0.2.20", "fe80::/10")
	for _, addr := range []string{"192.0.2.20", "192.0.2.21", "::ffff:192.0.2.15", "fe80::1%eth0"} {
		fmt.Println(addr, list.Contains(netip.MustParseAddr(addr)))
	}
	fmt.Println(list.Contains(netip.Addr{}))
	// Output:
	// 192.0.2.20 true
	// 192.0.2.21 false
	// ::ffff:192.0.2.15 true
	// fe80::1%eth0 true
	// false
}

func ExampleList_Excess() {
	ceiling := ipfilter.MustParseList("10.0.0.0/8")
	wanted := ipfilter.MustParseList("10.1.0.0/16", "192.0.2.7")
	fmt.Println(ceiling.Covers(wanted), ceiling.Excess(wanted))
	// Output: false [192.0.2.7]
}

func ExampleList_Strings() {
	list := ipfilter.MustParseList("10.128.0.0/9", "10.0.0.0/9", "::ffff:192.0.2.7")
	fmt.Println(list.Strings())
	fmt.Println(list.Typed())
	// Output:
	// [10.0.0.0/8 192.0.2.7]
	// [10.128.0.0/9 10.0.0.0/9 ::ffff:192.0.2.7]
}

func ExampleList_UnmarshalJSON() {
	var key struct {
		AllowedIPs *ipfilter.List `json:"allowed_ips"`
	}
	fmt.Println(json.Unmarshal([]byte(`{"allowed_ips": ["10.0.0.0/8"]}`), &key), key.AllowedIPs)
	fmt.Println(json.Unmarshal([]byte(`{"allowed_ips": []}`), &key))
	// Output:
	// <nil> 10.0.0.0/8
	// ipfilter: empty list
}

func ExampleResolver_Addr() {
	var resolver ipfilter.Resolver
	_, err := resolver.Addr(&http.Request{RemoteAddr: "@"}) // a Unix socket
	var unknown *ipfilter.AddrError
	fmt.Println(errors.As(err, &unknown), unknown.Reason)
	// Output: true no_peer_ip
}
