import { api, list } from '../schema.ts'

export const OffsetFetch = api(9, 'OffsetFetch', '1-10', '6+', {
  request: {
    groupId:                       'string 0-7 @groupId',
    topics: list('?2-7 0-7', {
      name:                        'string 0-7 @topicName',
      partitionIndexes:            list('0-7', 'int32'),
    }),
    groups: list('8+', {
      groupId:                     'string 8+ @groupId',
      memberId:                    'string? 9+ = null',
      memberEpoch:                 'int32 9+ = -1',
      topics: list('? 8+', {
        name:                      'string 8-9 @topicName',
        topicId:                   'uuid 10+',
        partitionIndexes:          list('8+', 'int32'),
      }),
    }),
    requireStable:                 'bool 7+ = false',
  },
  response: {
    throttleTimeMs:                'int32 3+',
    topics: list('0-7', {
      name:                        'string 0-7 @topicName',
      partitions: list('0-7', {
        partitionIndex:            'int32 0-7',
        committedOffset:           'int64 0-7',
        committedLeaderEpoch:      'int32 5-7 = -1',
        metadata:                  'string? 0-7',
        errorCode:                 'int16 0-7',
      }),
    }),
    errorCode:                     'int16 2-7 = 0',
    groups: list('8+', {
      groupId:                     'string 8+ @groupId',
      topics: list('8+', {
        name:                      'string 8-9 @topicName',
        topicId:                   'uuid 10+',
        partitions: list('8+', {
          partitionIndex:          'int32 8+',
          committedOffset:         'int64 8+',
          committedLeaderEpoch:    'int32 8+ = -1',
          metadata:                'string? 8+',
          errorCode:               'int16 8+',
        }),
      }),
      errorCode:                   'int16 8+ = 0',
    }),
  },
})
