// franz-go under test: the requests of clients/PROTOCOL.md, done as a user of franz-go would.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

const answerTimeout = 20 * time.Second

type login struct {
	Token        string `json:"token"`
	Endpoint     string `json:"endpoint"`
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret"`
	Username     string `json:"username"`
	Password     string `json:"password"`
}

type secured struct {
	CA   string `json:"ca"`
	Cert string `json:"cert"`
	Key  string `json:"key"`
}

type message struct {
	Topic     string  `json:"topic,omitempty"`
	Partition *int32  `json:"partition,omitempty"`
	Offset    int64   `json:"offset"`
	Key       *string `json:"key"`
	Value     *string `json:"value"`
}

type request struct {
	ID         int       `json:"id"`
	Do         string    `json:"do"`
	Client     string    `json:"client"`
	Bootstrap  string    `json:"bootstrap"`
	Login      *login    `json:"login"`
	TLS        *secured  `json:"tls"`
	Topic      string    `json:"topic"`
	Topics     []string  `json:"topics"`
	Messages   []message `json:"messages"`
	Consumer   string    `json:"consumer"`
	Group      string    `json:"group"`
	Protocol   string    `json:"protocol"`
	Pattern    string    `json:"pattern"`
	From       string    `json:"from"`
	To         string    `json:"to"`
	TxnID      string    `json:"transactionalId"`
	Count      int       `json:"count"`
	Abort      bool      `json:"abort"`
	Partitions int32     `json:"partitions"`
	Replicas   int16     `json:"replicas"`
}

type failure struct {
	Name    string `json:"name"`
	Message string `json:"message"`
}

// client is what stays open between requests: one franz-go client for producing and asking.
type client struct {
	options []kgo.Opt
	open    *kgo.Client
}

var (
	guard     sync.Mutex
	clients   = map[string]*client{}
	consumers = map[string]*kgo.Client{}
	output    sync.Mutex
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<26)
	for lines.Scan() {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		go answer(asked)
	}
}

func answer(asked request) {
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	value, err := perform(ctx, asked)
	if err != nil {
		tell(map[string]any{"id": asked.ID, "error": described(err)})
		return
	}
	tell(map[string]any{"id": asked.ID, "ok": value})
}

func perform(ctx context.Context, asked request) (any, error) {
	switch asked.Do {
	case "open":
		return nil, open(asked)
	case "subscribe":
		return nil, subscribe(asked)
	case "unsubscribe":
		guard.Lock()
		consumer := consumers[asked.Consumer]
		delete(consumers, asked.Consumer)
		guard.Unlock()
		consumer.CloseAllowingRebalance()
		return nil, nil
	case "transfer":
		return transfer(ctx, asked)
	}
	kafka, err := opened(asked.Client)
	if err != nil {
		return nil, err
	}
	admin := kadm.NewClient(kafka)
	switch asked.Do {
	case "produce":
		return produce(ctx, kafka, asked)
	case "topics":
		topics, err := admin.ListTopics(ctx)
		if err != nil {
			return nil, err
		}
		return topics.Names(), nil
	case "describe":
		return describe(ctx, admin, asked.Topic)
	case "create":
		_, err := admin.CreateTopic(ctx, asked.Partitions, asked.Replicas, nil, asked.Topic)
		return nil, err
	case "delete":
		_, err := admin.DeleteTopic(ctx, asked.Topic)
		return nil, err
	case "nodes":
		return nodes(ctx, admin)
	case "groups":
		groups, err := admin.ListGroups(ctx)
		if err != nil {
			return nil, err
		}
		return groups.Groups(), nil
	case "close":
		guard.Lock()
		delete(clients, asked.Client)
		guard.Unlock()
		kafka.Close()
		return nil, nil
	}
	return nil, fmt.Errorf("unknown request %q", asked.Do)
}

func open(asked request) error {
	options := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(asked.Bootstrap, ",")...),
		kgo.ClientID(asked.Client),
		kgo.RecordPartitioner(partitioner()),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.MetadataMaxAge(time.Second),
		kgo.RecordDeliveryTimeout(15 * time.Second),
		kgo.RetryTimeout(15 * time.Second),
	}
	if asked.Login != nil {
		options = append(options, kgo.SASL(mechanism(*asked.Login)))
	}
	if asked.TLS != nil {
		config, err := asked.TLS.config()
		if err != nil {
			return err
		}
		options = append(options, kgo.DialTLSConfig(config))
	}
	guard.Lock()
	defer guard.Unlock()
	clients[asked.Client] = &client{options: options}
	return nil
}

func (files secured) config() (*tls.Config, error) {
	ca, err := os.ReadFile(files.CA)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AppendCertsFromPEM(ca)
	if files.Cert != "" {
		own, err := tls.LoadX509KeyPair(files.Cert, files.Key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{own}
	}
	return config, nil
}

// partitioner keeps a partition that the request named and spreads the others by key.
func partitioner() kgo.Partitioner {
	byKey := kgo.StickyKeyPartitioner(nil)
	return kgo.BasicConsistentPartitioner(func(topic string) func(*kgo.Record, int) int {
		forTopic := byKey.ForTopic(topic)
		return func(record *kgo.Record, count int) int {
			if record.Partition >= 0 {
				return int(record.Partition)
			}
			return forTopic.Partition(record, count)
		}
	})
}

func mechanism(given login) sasl.Mechanism {
	if given.Username != "" {
		return plain.Auth{User: given.Username, Pass: given.Password}.AsMechanism()
	}
	return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
		if given.Token != "" {
			return oauth.Auth{Token: given.Token}, nil
		}
		token, err := fetchToken(ctx, given)
		return oauth.Auth{Token: token}, err
	})
}

func fetchToken(ctx context.Context, given login) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {given.ClientID}, "client_secret": {given.ClientSecret}}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, given.Endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(post)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		return "", err
	}
	if body.AccessToken == "" {
		return "", fmt.Errorf("no token: %s", response.Status)
	}
	return body.AccessToken, nil
}

func opened(name string) (*kgo.Client, error) {
	guard.Lock()
	defer guard.Unlock()
	found := clients[name]
	if found == nil {
		return nil, fmt.Errorf("no client %q", name)
	}
	if found.open == nil {
		made, err := kgo.NewClient(found.options...)
		if err != nil {
			return nil, err
		}
		found.open = made
	}
	return found.open, nil
}

func produce(ctx context.Context, kafka *kgo.Client, asked request) (any, error) {
	records := make([]*kgo.Record, len(asked.Messages))
	for at, each := range asked.Messages {
		records[at] = &kgo.Record{Topic: asked.Topic, Partition: -1}
		if each.Partition != nil {
			records[at].Partition = *each.Partition
		}
		if each.Key != nil {
			records[at].Key = []byte(*each.Key)
		}
		if each.Value != nil {
			records[at].Value = []byte(*each.Value)
		}
	}
	results := kafka.ProduceSync(ctx, records...)
	if err := results.FirstErr(); err != nil {
		return nil, err
	}
	sent := make([]map[string]any, len(results))
	for at, each := range results {
		sent[at] = map[string]any{"partition": each.Record.Partition, "offset": each.Record.Offset}
	}
	return sent, nil
}

func text(bytes []byte) *string {
	if bytes == nil {
		return nil
	}
	value := string(bytes)
	return &value
}

func describe(ctx context.Context, admin *kadm.Client, topic string) (any, error) {
	topics, err := admin.ListTopics(ctx, topic)
	if err != nil {
		return nil, err
	}
	if err := topics[topic].Err; err != nil {
		return nil, err
	}
	partitions := []map[string]any{}
	for _, each := range topics[topic].Partitions.Sorted() {
		partitions = append(partitions, map[string]any{"partition": each.Partition, "leader": each.Leader})
	}
	return partitions, nil
}

func nodes(ctx context.Context, admin *kadm.Client) (any, error) {
	brokers, err := admin.ListBrokers(ctx)
	if err != nil {
		return nil, err
	}
	listed := []map[string]any{}
	for _, each := range brokers {
		listed = append(listed, map[string]any{"id": each.NodeID, "host": each.Host, "port": each.Port})
	}
	return listed, nil
}

// described names an error as Kafka does; its message is what the library says.
func described(err error) failure {
	var kafka *kerr.Error
	if errors.As(err, &kafka) {
		return failure{Name: kafka.Message, Message: err.Error()}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, kgo.ErrRecordTimeout) {
		return failure{Name: "REQUEST_TIMED_OUT", Message: err.Error()}
	}
	return failure{Name: "ERROR", Message: err.Error()}
}

func tell(line map[string]any) {
	bytes, err := json.Marshal(line)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	output.Lock()
	defer output.Unlock()
	os.Stdout.Write(append(bytes, '\n'))
}
