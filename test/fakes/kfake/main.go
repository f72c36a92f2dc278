// kfake as a cluster of the version that is asked for: kfake VERSION PORTS TOPIC=PARTITIONS…
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"
)

func main() {
	if err := serve(os.Args[1], strings.Split(os.Args[2], ","), os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}

func serve(version string, ports, topics []string) error {
	offered := kversion.FromString(version)
	if offered == nil {
		return fmt.Errorf("no version %q", version)
	}
	numbers := make([]int, len(ports))
	for at, port := range ports {
		number, err := strconv.Atoi(port)
		if err != nil {
			return err
		}
		numbers[at] = number
	}
	options := []kfake.Opt{kfake.MaxVersions(offered), kfake.NumBrokers(len(numbers)), kfake.Ports(numbers...)}
	for _, topic := range topics {
		name, count, _ := strings.Cut(topic, "=")
		partitions, err := strconv.Atoi(count)
		if err != nil {
			return err
		}
		options = append(options, kfake.SeedTopics(int32(partitions), name))
	}
	_, err := kfake.NewCluster(options...)
	return err
}
