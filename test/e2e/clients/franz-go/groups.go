// Members of groups, and transactions of what they read.
package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

func subscribe(asked request) error {
	guard.Lock()
	defer guard.Unlock()
	found := clients[asked.Client]
	if found == nil {
		return fmt.Errorf("no client %q", asked.Client)
	}
	options := append(slices.Clone(found.options), grouped(asked)...)
	consumer, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	consumers[asked.Consumer] = consumer
	go listen(asked.Consumer, consumer)
	return nil
}

// grouped says how a consumer joins its group; cooperative-sticky is what the library does unless it is told otherwise.
func grouped(asked request) []kgo.Opt {
	if asked.Protocol == "share" {
		return []kgo.Opt{kgo.ShareGroup(asked.Group), kgo.ConsumeTopics(asked.Topics...)}
	}
	options := []kgo.Opt{
		kgo.ConsumerGroup(asked.Group),
		kgo.ConsumeTopics(asked.Topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.OnPartitionsAssigned(telling(asked.Consumer, "assigned")),
		kgo.OnPartitionsRevoked(telling(asked.Consumer, "revoked")),
	}
	if asked.Protocol == "consumer" {
		options = append(options, kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
	}
	if asked.Pattern != "" {
		options = append(options, kgo.ConsumeRegex(), kgo.ConsumeTopics(asked.Pattern))
	}
	return options
}

func telling(consumer, change string) func(context.Context, *kgo.Client, map[string][]int32) {
	return func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
		count := 0
		for _, each := range partitions {
			count += len(each)
		}
		tell(map[string]any{"consumer": consumer, change: count})
	}
}

// transfer reads, writes and commits its offsets in one transaction, or aborts it.
func transfer(ctx context.Context, asked request) (any, error) {
	guard.Lock()
	options := append(slices.Clone(clients[asked.Client].options),
		kgo.ConsumerGroup(asked.Group),
		kgo.ConsumeTopics(asked.From),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.TransactionalID(asked.TxnID),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RequireStableFetchOffsets(),
	)
	guard.Unlock()
	session, err := kgo.NewGroupTransactSession(options...)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	if err := session.Begin(); err != nil {
		return nil, err
	}
	values := []string{}
	for len(values) < asked.Count {
		fetches := session.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		records := fetches.Records()
		for at, record := range records {
			values = append(values, string(record.Value))
			records[at] = &kgo.Record{Topic: asked.To, Key: record.Key, Value: record.Value, Partition: -1}
		}
		if err := session.ProduceSync(ctx, records...).FirstErr(); err != nil {
			session.End(ctx, kgo.TryAbort)
			return nil, err
		}
	}
	committed, err := session.End(ctx, kgo.TransactionEndTry(!asked.Abort))
	if err == nil && committed == asked.Abort {
		err = fmt.Errorf("committed: %t", committed)
	}
	return values, err
}

// listen tells what a consumer gets until it is closed.
func listen(name string, consumer *kgo.Client) {
	for {
		fetches := consumer.PollFetches(context.Background())
		if fetches.IsClientClosed() {
			return
		}
		fetches.EachError(func(_ string, _ int32, err error) {
			tell(map[string]any{"consumer": name, "error": described(err)})
		})
		fetches.EachRecord(func(record *kgo.Record) {
			got := message{Topic: record.Topic, Partition: &record.Partition, Offset: record.Offset, Key: text(record.Key), Value: text(record.Value)}
			tell(map[string]any{"consumer": name, "message": got})
		})
	}
}
