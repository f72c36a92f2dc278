import { api, list } from '../schema.ts'

export const DescribeQuorum = api(55, 'DescribeQuorum', '0-2', '0+', {
  request: {
    topics: list({
      topicName:                   'string @topicName',
      partitions: list({
        partitionIndex:            'int32',
      }),
    }),
  },
  response: {
    errorCode:                     'int16',
    errorMessage:                  'string? 2+',
    topics: list({
      topicName:                   'string @topicName',
      partitions: list({
        partitionIndex:            'int32',
        errorCode:                 'int16',
        errorMessage:              'string? 2+',
        leaderId:                  'int32 @brokerId',
        leaderEpoch:               'int32',
        highWatermark:             'int64',
        currentVoters: list({
          replicaId:               'int32 @brokerId',
          replicaDirectoryId:      'uuid 2+',
          logEndOffset:            'int64',
          lastFetchTimestamp:      'int64 1+ = -1',
          lastCaughtUpTimestamp:   'int64 1+ = -1',
        }),
        observers: list({
          replicaId:               'int32 @brokerId',
          replicaDirectoryId:      'uuid 2+',
          logEndOffset:            'int64',
          lastFetchTimestamp:      'int64 1+ = -1',
          lastCaughtUpTimestamp:   'int64 1+ = -1',
        }),
      }),
    }),
    nodes: list('2+', {
      nodeId:                      'int32 2+ @brokerId',
      listeners: list('2+', {
        name:                      'string 2+',
        host:                      'string 2+',
        port:                      'uint16 2+',
      }),
    }),
  },
})
