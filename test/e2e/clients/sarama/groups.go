// Members of groups, and transactions of what they read.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"
)

func (open *client) subscribe(asked request) error {
	group, err := sarama.NewConsumerGroup(open.bootstrap, asked.Group, open.config())
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(context.Background())
	guard.Lock()
	consumers[asked.Consumer] = membership{group, end}
	guard.Unlock()
	report := func(err error) {
		tell(map[string]any{"consumer": asked.Consumer, "error": described(err)})
	}
	go func() {
		for err := range group.Errors() {
			report(err)
		}
	}()
	go func() {
		for ctx.Err() == nil {
			if err := group.Consume(ctx, asked.Topics, listener(asked.Consumer)); err != nil && ctx.Err() == nil {
				report(err)
				time.Sleep(time.Second)
			}
		}
	}()
	return nil
}

// listener tells what a consumer gets.
type listener string

func (name listener) Setup(session sarama.ConsumerGroupSession) error {
	return name.moved(session, "assigned")
}

func (name listener) Cleanup(session sarama.ConsumerGroupSession) error {
	return name.moved(session, "revoked")
}

func (name listener) moved(session sarama.ConsumerGroupSession, change string) error {
	count := 0
	for _, each := range session.Claims() {
		count += len(each)
	}
	tell(map[string]any{"consumer": string(name), change: count})
	return nil
}

func (name listener) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case record, more := <-claim.Messages():
			if !more {
				return nil
			}
			got := message{Topic: record.Topic, Partition: &record.Partition, Offset: record.Offset, Key: text(record.Key), Value: text(record.Value)}
			tell(map[string]any{"consumer": string(name), "message": got})
			session.MarkMessage(record, "")
		case <-session.Context().Done():
			return nil
		}
	}
}

// transfer reads, writes and commits its offsets in one transaction, or aborts it.
func (open *client) transfer(asked request) (any, error) {
	config := open.config()
	config.Producer.Transaction.ID = asked.TxnID
	producer, err := sarama.NewSyncProducer(open.bootstrap, config)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	reading := open.config()
	reading.Consumer.Offsets.AutoCommit.Enable = false
	group, err := sarama.NewConsumerGroup(open.bootstrap, asked.Group, reading)
	if err != nil {
		return nil, err
	}
	defer group.Close()
	ctx, end := context.WithTimeout(context.Background(), answerTimeout)
	defer end()
	read, err := readSome(ctx, group, asked)
	if err != nil {
		return nil, err
	}
	if err := producer.BeginTxn(); err != nil {
		return nil, err
	}
	values := []string{}
	for _, record := range read {
		values = append(values, string(record.Value))
		copied := &sarama.ProducerMessage{Topic: asked.To, Key: sarama.ByteEncoder(record.Key), Value: sarama.ByteEncoder(record.Value)}
		if _, _, err := producer.SendMessage(copied); err != nil {
			return nil, err
		}
		if err := producer.AddMessageToTxn(record, asked.Group, nil); err != nil {
			return nil, err
		}
	}
	if asked.Abort {
		return values, producer.AbortTxn()
	}
	return values, producer.CommitTxn()
}

// reader gathers what a group gives until there is enough; nothing is committed.
type reader struct {
	found chan *sarama.ConsumerMessage
}

func (reader) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (reader) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (into reader) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case record := <-claim.Messages():
			if record == nil {
				return nil
			}
			into.found <- record
		case <-session.Context().Done():
			return nil
		}
	}
}

func readSome(ctx context.Context, group sarama.ConsumerGroup, asked request) ([]*sarama.ConsumerMessage, error) {
	into := reader{found: make(chan *sarama.ConsumerMessage, 1000)}
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	failed := make(chan error, 1)
	go func() { failed <- group.Consume(ctx, []string{asked.From}, into) }()
	read := []*sarama.ConsumerMessage{}
	for len(read) < asked.Count {
		select {
		case record := <-into.found:
			read = append(read, record)
		case err := <-failed:
			return nil, errors.Join(err, ctx.Err())
		}
	}
	return read, nil
}
