import { api, list } from '../schema.ts'

export const TxnOffsetCommit = api(28, 'TxnOffsetCommit', '0-6', '3+', {
  request: {
    transactionalId:               'string @transactionalId',
    groupId:                       'string @groupId',
    producerId:                    'int64 @producerId',
    producerEpoch:                 'int16',
    generationIdOrMemberEpoch:     'int32 3+ = -1',
    memberId:                      'string 3+',
    groupInstanceId:               'string? 3+ = null',
    topics: list({
      name:                        'string 0-5 @topicName',
      topicId:                     'uuid 6+',
      partitions: list({
        partitionIndex:            'int32',
        committedOffset:           'int64',
        committedLeaderEpoch:      'int32 2+ = -1',
        committedMetadata:         'string?',
      }),
    }),
  },
  response: {
    throttleTimeMs:                'int32',
    topics: list({
      name:                        'string 0-5 @topicName',
      topicId:                     'uuid 6+',
      partitions: list({
        partitionIndex:            'int32',
        errorCode:                 'int16',
      }),
    }),
  },
})
