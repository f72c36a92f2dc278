import { api, list } from '../schema.ts'

export const OffsetCommit = api(8, 'OffsetCommit', '2-10', '8+', {
  request: {
    groupId:                       'string @groupId',
    generationIdOrMemberEpoch:     'int32 1+ = -1',
    memberId:                      'string 1+',
    groupInstanceId:               'string? 7+ = null',
    retentionTimeMs:               'int64 2-4 = -1',
    topics: list({
      name:                        'string 0-9 @topicName',
      topicId:                     'uuid 10+',
      partitions: list({
        partitionIndex:            'int32',
        committedOffset:           'int64',
        committedLeaderEpoch:      'int32 6+ = -1',
        committedMetadata:         'string?',
      }),
    }),
  },
  response: {
    throttleTimeMs:                'int32 3+',
    topics: list({
      name:                        'string 0-9 @topicName',
      topicId:                     'uuid 10+',
      partitions: list({
        partitionIndex:            'int32',
        errorCode:                 'int16',
      }),
    }),
  },
})
