// sarama under test: the requests of clients/PROTOCOL.md, done as a user of sarama would.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

const answerTimeout = 20 * time.Second

type login struct {
	Given        string `json:"token"`
	Endpoint     string `json:"endpoint"`
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret"`
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
	Topic      string    `json:"topic"`
	Topics     []string  `json:"topics"`
	Messages   []message `json:"messages"`
	Consumer   string    `json:"consumer"`
	Group      string    `json:"group"`
	Partitions int32     `json:"partitions"`
	Replicas   int16     `json:"replicas"`
	From       string    `json:"from"`
	To         string    `json:"to"`
	TxnID      string    `json:"transactionalId"`
	Count      int       `json:"count"`
	Abort      bool      `json:"abort"`
}

type failure struct {
	Name    string `json:"name"`
	Message string `json:"message"`
}

// client is what stays open between requests, made when it is first needed.
type client struct {
	bootstrap []string
	login     *login
	guard     sync.Mutex
	producer  sarama.SyncProducer
	admin     sarama.ClusterAdmin
}

type membership struct {
	group sarama.ConsumerGroup
	end   context.CancelFunc
}

var (
	guard     sync.Mutex
	clients   = map[string]*client{}
	consumers = map[string]membership{}
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
	value, err := perform(asked)
	if err != nil {
		tell(map[string]any{"id": asked.ID, "error": described(err)})
		return
	}
	tell(map[string]any{"id": asked.ID, "ok": value})
}

func perform(asked request) (any, error) {
	if asked.Do == "open" {
		guard.Lock()
		defer guard.Unlock()
		clients[asked.Client] = &client{bootstrap: strings.Split(asked.Bootstrap, ","), login: asked.Login}
		return nil, nil
	}
	if asked.Do == "unsubscribe" {
		guard.Lock()
		member := consumers[asked.Consumer]
		delete(consumers, asked.Consumer)
		guard.Unlock()
		member.end()
		return nil, member.group.Close()
	}
	guard.Lock()
	found := clients[asked.Client]
	guard.Unlock()
	if found == nil {
		return nil, fmt.Errorf("no client %q", asked.Client)
	}
	switch asked.Do {
	case "produce":
		return found.produce(asked)
	case "subscribe":
		return nil, found.subscribe(asked)
	case "transfer":
		return found.transfer(asked)
	case "close":
		return nil, found.close()
	}
	admin, err := found.asking()
	if err != nil {
		return nil, err
	}
	return administer(admin, asked)
}

func administer(admin sarama.ClusterAdmin, asked request) (any, error) {
	switch asked.Do {
	case "topics":
		topics, err := admin.ListTopics()
		return slices.Sorted(maps.Keys(topics)), err
	case "describe":
		topics, err := admin.DescribeTopics([]string{asked.Topic})
		if err != nil {
			return nil, err
		}
		if topics[0].Err != sarama.ErrNoError {
			return nil, topics[0].Err
		}
		partitions := []map[string]any{}
		for _, each := range topics[0].Partitions {
			partitions = append(partitions, map[string]any{"partition": each.ID, "leader": each.Leader})
		}
		return partitions, nil
	case "create":
		return nil, admin.CreateTopic(asked.Topic, &sarama.TopicDetail{NumPartitions: asked.Partitions, ReplicationFactor: asked.Replicas}, false)
	case "delete":
		return nil, admin.DeleteTopic(asked.Topic)
	case "nodes":
		brokers, _, err := admin.DescribeCluster()
		listed := []map[string]any{}
		for _, each := range brokers {
			var port int
			host, digits, _ := strings.Cut(each.Addr(), ":")
			fmt.Sscan(digits, &port)
			listed = append(listed, map[string]any{"id": each.ID(), "host": host, "port": port})
		}
		return listed, err
	case "groups":
		groups, err := admin.ListConsumerGroups()
		return slices.Sorted(maps.Keys(groups)), err
	}
	return nil, fmt.Errorf("unknown request %q", asked.Do)
}

func (open *client) config() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Metadata.RefreshFrequency = time.Second
	config.Metadata.Retry.Backoff = 100 * time.Millisecond
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = partitioner
	config.Producer.Idempotent = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Net.MaxOpenRequests = 1
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Return.Errors = true
	config.Consumer.Group.Rebalance.Retry.Backoff = 200 * time.Millisecond
	config.Consumer.IsolationLevel = sarama.ReadCommitted
	if open.login != nil {
		config.Net.SASL.Enable = true
		config.Net.SASL.Mechanism = sarama.SASLTypeOAuth
		config.Net.SASL.TokenProvider = open.login
	}
	return config
}

// partitioner keeps a partition that the request named and spreads the others by key.
func partitioner(topic string) sarama.Partitioner {
	return named{sarama.NewHashPartitioner(topic)}
}

type named struct{ sarama.Partitioner }

func (by named) Partition(record *sarama.ProducerMessage, count int32) (int32, error) {
	if where, ok := record.Metadata.(int32); ok {
		return where, nil
	}
	return by.Partitioner.Partition(record, count)
}

// Token is what sarama asks for at each login.
func (given *login) Token() (*sarama.AccessToken, error) {
	if given.Given != "" {
		return &sarama.AccessToken{Token: given.Given}, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {given.ClientID}, "client_secret": {given.ClientSecret}}
	response, err := http.PostForm(given.Endpoint, form)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		return nil, err
	}
	return &sarama.AccessToken{Token: body.AccessToken}, nil
}

func (open *client) producing() (sarama.SyncProducer, error) {
	open.guard.Lock()
	defer open.guard.Unlock()
	if open.producer == nil {
		made, err := sarama.NewSyncProducer(open.bootstrap, open.config())
		if err != nil {
			return nil, err
		}
		open.producer = made
	}
	return open.producer, nil
}

func (open *client) asking() (sarama.ClusterAdmin, error) {
	open.guard.Lock()
	defer open.guard.Unlock()
	if open.admin == nil {
		made, err := sarama.NewClusterAdmin(open.bootstrap, open.config())
		if err != nil {
			return nil, err
		}
		open.admin = made
	}
	return open.admin, nil
}

func (open *client) close() error {
	open.guard.Lock()
	defer open.guard.Unlock()
	var failed []error
	if open.producer != nil {
		failed = append(failed, open.producer.Close())
	}
	if open.admin != nil {
		failed = append(failed, open.admin.Close())
	}
	return errors.Join(failed...)
}

func (open *client) produce(asked request) (any, error) {
	producer, err := open.producing()
	if err != nil {
		return nil, err
	}
	sent := []map[string]any{}
	for _, each := range asked.Messages {
		record := &sarama.ProducerMessage{Topic: asked.Topic}
		if each.Partition != nil {
			record.Metadata = *each.Partition
		}
		if each.Key != nil {
			record.Key = sarama.StringEncoder(*each.Key)
		}
		if each.Value != nil {
			record.Value = sarama.StringEncoder(*each.Value)
		}
		partition, offset, err := producer.SendMessage(record)
		if err != nil {
			return nil, err
		}
		sent = append(sent, map[string]any{"partition": partition, "offset": offset})
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

// described names an error as Kafka does; sarama gives some of them only as text, which begins with its own words for the error.
func described(err error) failure {
	for kafka, name := range names {
		if errors.Is(err, kafka) || strings.Contains(err.Error(), kafka.Error()) {
			return failure{Name: name, Message: err.Error()}
		}
	}
	return failure{Name: "ERROR", Message: err.Error()}
}

var names = map[sarama.KError]string{
	sarama.ErrTopicAuthorizationFailed:           "TOPIC_AUTHORIZATION_FAILED",
	sarama.ErrGroupAuthorizationFailed:           "GROUP_AUTHORIZATION_FAILED",
	sarama.ErrClusterAuthorizationFailed:         "CLUSTER_AUTHORIZATION_FAILED",
	sarama.ErrTransactionalIDAuthorizationFailed: "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
	sarama.ErrSASLAuthenticationFailed:           "SASL_AUTHENTICATION_FAILED",
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
